"""Write a campaign's texts: who gets one, when, and in which words. Previews, rehearsals and planning ask the same questions here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain import dialogues, windows
from gateway.domain.campaigns import Candidate
from gateway.domain.routing import NO_ANSWER, ODD_LETTERS, TOO_LONG, Asked, Road, Table
from gateway.domain.told import N_
from gateway.store.campaigns import Campaign
from gateway.store.units import Unit
from gateway.usecases import compose
from gateway.usecases.compose import Recipient, Text, Unsendable
from gateway.usecases.places import Place, Places
from gateway.vault import DataKey, Vault

LATE = "its time passed"
UNCARRIED = (NO_ANSWER, ODD_LETTERS, TOO_LONG)
"""Why texts do not leave though channels reach their phones: what they say is to be changed."""


class Skipped(Exception):
    """This person gets no text; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A text that is to leave: to whom, through which channel, from when on."""

    place: Place
    send_after: datetime
    key: DataKey
    phone: str
    road: Road
    told: Text


class Writer:
    """Texts of one campaign, from rows of `store.occurrences`. What reads the same for many people is made once."""

    def __init__(
        self, content: Content, vault: Vault, campaign: Campaign, pinned: compose.Pinned, units: Iterable[Unit],
        roads: Table,
    ) -> None:  # fmt: skip
        self._content, self._vault, self._campaign, self._pinned = content, vault, campaign, pinned
        self._roads, self._is_costly = roads, any(road.replies_cost for road in roads.roads.values())
        self._exclusions: dict[tuple[Any, ...], str | None] = {}
        self.place = Places(units).of
        self._made: dict[tuple[Any, ...], Text | Unsendable] = {}
        self._values: dict[str, Mapping[str, Any]] = {"": dict(campaign.spec.values)}
        self._purposes = {}
        for step, spec in zip(campaign.steps, campaign.spec.steps, strict=True):
            self._purposes[str(step.id)] = step.purpose
            self._values[str(step.id)] = {**campaign.spec.values, **spec.values}
        self._of_unit: dict[tuple[str, str], bool] = {}
        self._places_of = {purpose: set(template.about.placeholders) for (purpose, _), template in pinned.items()}
        asking = {purpose for (purpose, _), template in pinned.items() if template.about.wants_reply}
        self._asking = asking | {step.purpose for step in campaign.steps if dialogues.name_of(step.purpose) is not None}

    def exclusion(self, row: Any) -> str | None:
        """Why this person gets nothing; None when they do."""
        if row.wrapped is None:
            return N_("client erased")
        person = (row.covered, row.status, row.phone_id is not None, row.to_verify is not None, row.stopped, row.consented)
        if person not in self._exclusions:
            self._exclusions[person] = rules.exclusion(
                Candidate(*person), self._campaign.consent_purpose, self._campaign.spec.audience.unverified
            )
        return self._exclusions[person]

    def open(self, row: Any) -> tuple[DataKey, str]:
        """The person's key, and the phone we text."""
        key = self._vault.open_key(row.wrapped, row.key_id)
        return key, key.decrypt(row.phone_enc, "phones.phone", row.phone_id)

    def letter(
        self, row: Any, step_id: str, send_before: datetime, now: datetime, opened: tuple[DataKey, str] | None = None
    ) -> Letter:  # fmt: skip
        """The text of a step for this person, were it planned `now`. Raises Skipped, or Unsendable, with the reason if there is none."""
        if (excluded := self.exclusion(row)) is not None:
            raise Skipped(excluded)
        place = self.place(row)
        send_after = self._send_after(place, send_before, now)
        key, phone = opened or self.open(row)
        purpose = self._purposes[step_id]
        road = self.road(row, phone, purpose)
        if road is None:
            raise Skipped(self.unreached(row, phone, purpose))
        told = self.text(row, place, purpose, key, phone, step_id)
        return Letter(place, send_after, key, phone, self.carrying(row, phone, purpose, told, road), told)

    def carrying(self, row: Any, phone: str, purpose: str, told: Text, road: Road) -> Road:
        """The channel that also holds the words of a text; `road` is the one it would leave by. Raises Skipped with the reason when there is none."""
        asked = self._asked(row, phone, purpose, self._asks(row, purpose)).saying(told.body)
        found = road if road.holds(asked) else self._roads.choose(asked)
        if found is None:
            raise Skipped(self._roads.why_not(asked))
        return found

    def road(self, row: Any, phone: str, purpose: str) -> Road | None:
        """The channel by which a text would leave."""
        return self._roads.choose(self._asked(row, phone, purpose, self._asks(row, purpose)))

    def unreached(self, row: Any, phone: str, purpose: str) -> str:
        """Why there is no channel for a text."""
        return self._roads.why_not(self._asked(row, phone, purpose, self._asks(row, purpose)))

    def _asks(self, row: Any, purpose: str) -> bool:
        return purpose in self._asking or row.discreet == 2

    def _asked(self, row: Any, phone: str, purpose: str, answers: bool) -> Asked:
        return Asked(phone, row.phone_hash, self.place(row).unit.id, row.language, purpose, answers)

    def _send_after(self, place: Place, send_before: datetime, now: datetime) -> datetime:
        """Now, or when the hours of unit and client next open. Raises the reason when its time passes before."""
        if send_before <= now:
            raise Skipped(LATE)
        opens_at = windows.next_open(place.hours, place.zone, now)
        if opens_at >= send_before:
            raise Skipped(f"quiet hours; {LATE} before they end")
        return opens_at

    def text(self, row: Any, place: Place, purpose: str, key: DataKey, phone: str, step_id: str = "") -> Text:
        """The text for this person, with the values of a step. Raises Unsendable."""
        name = key.decrypt(row.name_enc, "clients.name", row.client_id) if row.discreet == 0 else ""
        needed = row.unit if name or self._names_unit(purpose, step_id) else place.unit.language
        what = (purpose, step_id, row.language, row.tones or place.unit.tones, row.discreet == 0, name, needed, place.zone, row.starts_at,
                self._replies_cost(row, phone, purpose))  # fmt: skip
        made = self._made.get(what)
        if made is None:
            made = self._made[what] = self._make(row, place, purpose, key, phone, name, step_id)
        if isinstance(made, Unsendable):
            raise made
        return made

    def _replies_cost(self, row: Any, phone: str, purpose: str) -> bool:
        road = self.road(row, phone, purpose) if self._is_costly else None
        return road is not None and road.replies_cost

    def _names_unit(self, purpose: str, step_id: str) -> bool:
        """Whether the text says something of the unit, so that it reads differently in another."""
        known = self._of_unit.get((purpose, step_id))
        if known is None:
            said = self._places_of.get(purpose)
            known = said is None or bool(said - rules.OF_AN_APPOINTMENT - self._values[step_id].keys())
            self._of_unit[purpose, step_id] = known
        return known

    def _make(self, row: Any, place: Place, purpose: str, key: DataKey, phone: str, name: str, step_id: str) -> Text | Unsendable:
        spec, unit = self._campaign.spec, place.unit
        person = Recipient(
            unit_id=unit.id, key_id=row.key_id, key=key, phone=phone, language=row.language, zone=place.zone,
            client_id=row.client_id, unit_language=unit.language, tones=row.tones or unit.tones, discreet=row.discreet, name=name,
            details=unit.known, replies_cost=self._replies_cost(row, phone, purpose),
        )  # fmt: skip
        moment = {} if row.starts_at is None else {"starts_at": row.starts_at}
        try:
            return compose.compose(
                self._content, person, purpose, {**self._values[step_id], **moment}, pinned=self._pinned, policy=spec.policy,
                campaign_default=spec.default_language,
            )  # fmt: skip
        except Unsendable as reason:
            return reason
