"""How many texts of our own accord one phone gets: at most so many in a day and in a week, whatever campaigns say."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from gateway.domain.told import N_

A_DAY = 3  # also the most that Vietnam's Decree 91/2020 allows of advertising


@dataclass(frozen=True, slots=True)
class Cap:
    """The most texts in any 24 hours and in any 7 days; None: no limit of its own."""

    a_day: int = A_DAY
    a_week: int | None = None

    @classmethod
    def narrowest(cls, asked: Iterable[tuple[int | None, int | None]]) -> Self:
        """The cap of a client, from what their unit and each above it say: never more than any of them allows."""
        pairs = list(asked)
        days = [a_day for a_day, _ in pairs if a_day is not None]
        weeks = [a_week for _, a_week in pairs if a_week is not None]
        return cls(min([A_DAY, *days]), min(weeks, default=None))

    def narrowed(self, a_day: int | None, a_week: int | None) -> "Cap":
        """The cap of a client who has figures of their own: the narrower win."""
        return self if a_day is None and a_week is None else self.narrowest([(self.a_day, self.a_week), (a_day, a_week)])

    def reached(self, today: int, this_week: int) -> str | None:
        """Why no further text leaves now; None when one may."""
        if today >= self.a_day:
            return N_("enough texts today")
        return N_("enough texts this week") if self.a_week is not None and this_week >= self.a_week else None
