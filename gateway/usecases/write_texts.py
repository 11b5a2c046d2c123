"""Write a campaign's texts: who gets one, and in which words. Previews and planning ask the same questions here."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain import windows
from gateway.domain.campaigns import Candidate
from gateway.domain.told import N_
from gateway.domain.windows import Window
from gateway.store.campaigns import Campaign
from gateway.store.units import Unit
from gateway.usecases import compose
from gateway.usecases.compose import Recipient, Text, Unsendable
from gateway.vault import DataKey, Vault


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where and when a person can be texted: zone and hours are their own as far as they go, else the unit's."""

    unit: Unit
    zone: str
    hours: Window | None


class Writer:
    """Texts of one campaign, from rows of `store.occurrences`. What reads the same for many people is made once."""

    def __init__(
        self, content: Content, vault: Vault, campaign: Campaign, pinned: compose.Pinned, units: Iterable[Unit]
    ) -> None:
        self._content, self._vault, self._campaign, self._pinned = content, vault, campaign, pinned
        self._units = {str(unit.id): unit for unit in units}
        self._values = dict(campaign.spec.values)
        self._exclusions: dict[tuple[Any, ...], str | None] = {}
        self._places: dict[tuple[Any, ...], Place] = {}
        self._made: dict[tuple[Any, ...], Text | Unsendable] = {}
        self._names_unit = {
            purpose: bool(set(template.about.placeholders) - rules.OF_AN_APPOINTMENT - set(self._values))
            for (purpose, _), template in pinned.items()
        }

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

    def place(self, row: Any) -> Place:
        """Where and when this person can be texted. A zone that does not exist counts as none."""
        key = row.unit, row.time_zone, row.opens, row.closes
        if key not in self._places:
            unit = self._units[row.unit]
            zone, wrong = windows.zone_or(row.time_zone, unit.time_zone)
            own = Window(row.opens, row.closes) if row.opens is not None and row.closes is not None else None
            self._places[key] = Place(unit, unit.time_zone if wrong else zone.key, windows.narrower(unit.hours, own))
        return self._places[key]

    def text(self, row: Any, place: Place, purpose: str, key: DataKey, phone: str, replies_cost: bool) -> Text:
        """The text for this person; `replies_cost` is the channel's. Raises Unsendable."""
        name = key.decrypt(row.name_enc, "clients.name", row.client_id) if row.discreet == 0 else ""
        needed = row.unit if name or self._names_unit.get(purpose, True) else place.unit.language
        what = (purpose, row.language, row.tones or place.unit.tones, row.discreet == 0, name, needed, place.zone, row.starts_at,
                replies_cost)  # fmt: skip
        made = self._made.get(what)
        if made is None:
            made = self._made[what] = self._make(row, place, purpose, key, phone, name, replies_cost)
        if isinstance(made, Unsendable):
            raise made
        return made

    def _make(
        self, row: Any, place: Place, purpose: str, key: DataKey, phone: str, name: str, replies_cost: bool
    ) -> Text | Unsendable:
        spec, unit = self._campaign.spec, place.unit
        person = Recipient(
            unit_id=unit.id, key_id=row.key_id, key=key, phone=phone, language=row.language, zone=place.zone,
            client_id=row.client_id, unit_language=unit.language, tones=row.tones or unit.tones, discreet=row.discreet, name=name,
            details=unit.known, replies_cost=replies_cost,
        )  # fmt: skip
        moment = {} if row.starts_at is None else {"starts_at": row.starts_at}
        try:
            return compose.compose(
                self._content, person, purpose, self._values | moment, pinned=self._pinned, policy=spec.policy,
                campaign_default=spec.default_language,
            )  # fmt: skip
        except Unsendable as reason:
            return reason
