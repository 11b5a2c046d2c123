"""By which channel a text leaves: the rules that fit it best, then the price; then the same channel as always.

Nothing is remembered of a client: which of several equal channels is theirs follows from their phone alone (by rendezvous), so
they keep seeing one number. A channel that works badly gives up some of its clients, always the same ones, and gets those back.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import log
from uuid import UUID

from gateway.domain import segments
from gateway.domain.told import N_

FAR = 1_000_000  # further than any unit lies below another
ALL = 100
"""The weight of a channel that keeps all its clients."""
UNREACHED = N_("no channel reaches this phone")
NO_ANSWER = N_(
    "asks for an answer, and no channel brings one back from these phones: take a text that asks for none and names a call-back number or a USSD "
    "code, or add a channel that brings answers back"
)
ODD_LETTERS = N_(
    "has letters that no channel to these phones carries, such as tone marks: write it without them, or add a channel that carries every letter"
)
TOO_LONG = N_("is longer than any channel to these phones carries: shorten it, or add a channel that carries longer texts")


@dataclass(frozen=True, slots=True, eq=False)
class Road:
    """A channel as routing sees it. `is_open`: texts leave by it, and of its day's allowance some is left; `has_room`: some for campaigns."""

    id: UUID
    name: str
    prefix: str = "+"  # of the phones it reaches
    prices: Mapping[str, float] = field(default_factory=dict)  # of a segment, by prefix
    one_way: Sequence[str] = ()  # prefixes of phones whose answers do not come back
    off: Sequence[str] = ()  # prefixes of countries that its carrier refuses
    is_open: bool = True
    has_room: bool = True
    weight: int = ALL
    daily: int | None = None  # segments that it may send in a day
    replies_cost: bool = False
    longest: int = 1600  # characters
    gsm_only: bool = False  # no other letters

    def reaches(self, phone: str) -> bool:
        """Whether it can carry a text to this phone at all."""
        return phone.startswith(self.prefix)

    def is_two_way(self, phone: str) -> bool:
        """Whether this phone's answers come back."""
        return not phone.startswith(tuple(self.one_way))

    def holds(self, asked: "Asked") -> bool:
        """Whether it carries a text of this length and these letters."""
        return asked.chars <= self.longest and (asked.is_gsm or not self.gsm_only)

    def price(self, phone: str) -> float | None:
        """Of one segment to this phone: that of the longest prefix. None: not known."""
        known = max((prefix for prefix in self.prices if phone.startswith(prefix)), key=len, default=None)
        return None if known is None else self.prices[known]


@dataclass(frozen=True, slots=True)
class Rule:
    """Texts for which all that is given holds leave by the channel. `units`: unit -> how far below the rule's own it lies."""

    channel_id: UUID
    units: Mapping[UUID, int] | None = None
    prefix: str | None = None
    language: str | None = None
    purpose: str | None = None

    def fits(self, asked: "Asked") -> bool:
        """Whether all its conditions hold."""
        return (
            (self.prefix is None or asked.phone.startswith(self.prefix)) and self.language in (None, asked.language)
            and self.purpose in (None, asked.purpose) and (self.units is None or asked.unit_id in self.units)
        )  # fmt: skip

    def rank(self, asked: "Asked") -> tuple[int, int, int]:
        """The smaller, the better it fits: more conditions, then the nearer unit before none, then the longer prefix."""
        given = sum(each is not None for each in (self.units, self.prefix, self.language, self.purpose))
        return -given, FAR if self.units is None else self.units[asked.unit_id], -len(self.prefix or "")


@dataclass(frozen=True, slots=True)
class Asked:
    """A text that looks for its channel. `who` stands for the phone wherever it is kept, such as its keyed hash."""

    phone: str
    who: bytes
    unit_id: UUID
    language: str
    purpose: str
    answers: bool = False  # it asks for an answer, which must come back
    bulk: bool = True
    urgent: bool = False
    chars: int = 0  # where its words are known
    is_gsm: bool = True

    def saying(self, body: str) -> "Asked":
        """The same, with these words."""
        return replace(self, chars=len(body), is_gsm=segments.GSM.issuperset(body))

    def anyhow(self) -> "Asked":
        """The same, whatever its words are."""
        return replace(self, chars=0, is_gsm=True)


class Table:
    """All channels and rules of a moment."""

    def __init__(self, roads: Iterable[Road], rules: Iterable[Rule] = ()) -> None:
        """`roads` by name. One with rules carries what they say and nothing else; one without carries whatever it reaches."""
        self.roads = {road.id: road for road in roads}
        self._rules: defaultdict[UUID | None, list[Rule]] = defaultdict(list)  # by the units they speak of
        ruled = set()
        for rule in rules:
            ruled.add(rule.channel_id)
            if rule.channel_id in self.roads:
                for unit_id in rule.units if rule.units is not None else (None,):
                    self._rules[unit_id].append(rule)
        self._unruled = [road for road in self.roads.values() if road.id not in ruled]
        self._only = self._unruled[0] if len(self.roads) == len(self._unruled) == 1 else None  # asked of every text there is

    def order(self, asked: Asked) -> list[list[Road]]:
        """The channels for a text, the best first; those in one list share what there is."""
        tiers: dict[tuple[float, ...], dict[UUID, Road]] = {}
        if self._rules:
            for rule in (*self._rules.get(asked.unit_id, ()), *self._rules.get(None, ())):
                road = self.roads[rule.channel_id]
                if road.reaches(asked.phone) and rule.fits(asked):
                    tiers.setdefault((*rule.rank(asked), *_dear(road, asked)), {})[road.id] = road
        ordered, seen = [], set[UUID]()
        for key in sorted(tiers):
            if tier := [road for road in tiers[key].values() if road.id not in seen]:
                ordered.append(tier)
                seen.update(road.id for road in tier)
        others = [road for road in self._unruled if road.reaches(asked.phone)]
        others.sort(key=lambda road: (-len(road.prefix), *_dear(road, asked), road.name))
        return [[road for road in tier if _suits(road, asked)] for tier in (*ordered, *([road] for road in others))]

    def loses_answers(self, countries: Iterable[str]) -> bool:
        """Whether there are channels to one of these countries, by the beginning of its phones, and none brings answers back from all of it."""
        for country in countries:
            there = [road for road in self.roads.values() if road.prefix.startswith(country) or country.startswith(road.prefix)]
            if there and not any(road.is_two_way(country) for road in there):
                return True
        return False

    def choose(self, asked: Asked) -> Road | None:
        """The channel for a text; None when none reaches the phone, none that brings its answer back, or none that holds its words.

        Where no channel is open it is the best one all the same: the text waits there.
        """
        if self._only is not None:
            return self._only if self._only.reaches(asked.phone) and _suits(self._only, asked) else None
        first = best = None
        for tier in self.order(asked):
            for road in _in_turn(tier, asked.who):
                first = first or road
                if not carries(road, asked):
                    continue
                if _keeps(road, asked):
                    return road
                best = best or road
        return best or first

    def why_not(self, asked: Asked) -> str:
        """Why there is no channel for a text."""
        lighter = replace(asked, chars=0)
        for reason in (TOO_LONG, ODD_LETTERS, NO_ANSWER):
            if self.choose(lighter) is not None:
                return reason
            lighter = replace(lighter, is_gsm=True) if reason is TOO_LONG else replace(lighter, answers=False)
        return UNREACHED


def _dear(road: Road, asked: Asked) -> tuple[bool, float]:
    price = road.price(asked.phone)
    return price is None, price or 0.0


def _suits(road: Road, asked: Asked) -> bool:
    return (not asked.answers or road.is_two_way(asked.phone)) and road.holds(asked)


def carries(road: Road, asked: Asked) -> bool:
    """Whether a text that it suits may leave by it now."""
    return road.is_open and (road.has_room or not asked.bulk) and not (road.off and asked.phone.startswith(tuple(road.off)))


def _in_turn(tier: Sequence[Road], who: bytes) -> Sequence[Road]:
    """Equal channels in this phone's own order, in which each comes first for its share of all phones."""
    if len(tier) < 2:
        return tier
    shares = {road.id: road.daily for road in tier if road.daily is not None}
    even = len(shares) < len(tier)  # without an allowance of each there is nothing to share by
    return sorted(tier, key=lambda road: -log(_drawn(who, road, 0)) / (1 if even else shares[road.id]))


def _keeps(road: Road, asked: Asked) -> bool:
    """An alert or a crisis answer takes no road that works badly while there is one that does not."""
    return road.weight >= ALL or (not asked.urgent and _drawn(asked.who, road, 8) * ALL < road.weight)


def _drawn(who: bytes, road: Road, at: int) -> float:
    """A number between 0 and 1, always the same for this phone and channel."""
    digest = blake2b(road.id.bytes + who, digest_size=16).digest()
    return (int.from_bytes(digest[at : at + 8]) + 1) / (2**64 + 1)
