"""Write a campaign's texts: who gets one, and in which words. Previews and planning ask the same questions here."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain import windows
from gateway.domain.campaigns import Candidate
from gateway.store.campaigns import Campaign
from gateway.store.units import Unit
from gateway.usecases import compose
from gateway.usecases.compose import Recipient, Text, Unsendable
from gateway.vault import DataKey, Vault


class Writer:
    """Texts of one campaign, from rows of `store.occurrences`. What reads the same for many people is made once."""

    def __init__(
        self, content: Content, vault: Vault, campaign: Campaign, pinned: compose.Pinned, units: Mapping[UUID, Unit]
    ) -> None:
        self._content, self._vault, self._campaign, self._pinned, self._units = content, vault, campaign, pinned, units
        self._values = dict(campaign.spec.values)
        self._exclusions: dict[tuple[Any, ...], str | None] = {}
        self._zones: dict[tuple[str | None, UUID], str] = {}
        self._made: dict[tuple[Any, ...], Text | Unsendable] = {}
        self._names_unit = {
            purpose: bool(set(template.about.placeholders) - rules.OF_AN_APPOINTMENT - set(self._values))
            for (purpose, _), template in pinned.items()
        }

    def exclusion(self, row: Any) -> str | None:
        """Why this person gets nothing; None when they do."""
        if row.wrapped is None:
            return "client erased"
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

    def zone(self, row: Any) -> str:
        """The name of the time zone in which the person lives; the unit's when their own is missing or wrong."""
        zones = row.time_zone, row.unit_id
        if zones not in self._zones:
            unit_zone = self._units[row.unit_id].time_zone
            own, wrong = windows.zone_or(row.time_zone, unit_zone)
            self._zones[zones] = unit_zone if wrong else own.key
        return self._zones[zones]

    def text(self, row: Any, purpose: str, key: DataKey, phone: str) -> Text:
        """The text for this person. Raises Unsendable."""
        name = key.decrypt(row.name_enc, "clients.name", row.client_id) if row.discreet == 0 else ""
        unit = self._units[row.unit_id]
        needed = row.unit_id if name or self._names_unit.get(purpose, True) else unit.language
        what = (purpose, row.language, row.tones or unit.tones, row.discreet == 0, name, needed, self.zone(row), row.starts_at)
        made = self._made.get(what)
        if made is None:
            made = self._made[what] = self._make(row, purpose, key, phone, name)
        if isinstance(made, Unsendable):
            raise made
        return made

    def _make(self, row: Any, purpose: str, key: DataKey, phone: str, name: str) -> Text | Unsendable:
        spec, unit = self._campaign.spec, self._units[row.unit_id]
        person = Recipient(
            unit_id=row.unit_id, key_id=row.key_id, key=key, phone=phone, language=row.language, zone=self.zone(row),
            client_id=row.client_id, unit_language=unit.language, tones=row.tones or unit.tones, discreet=row.discreet, name=name,
            details=unit.known,
        )  # fmt: skip
        moment = {} if row.starts_at is None else {"starts_at": row.starts_at}
        try:
            return compose.compose(
                self._content, person, purpose, self._values | moment, pinned=self._pinned, policy=spec.policy,
                campaign_default=spec.default_language,
            )  # fmt: skip
        except Unsendable as reason:
            return reason
