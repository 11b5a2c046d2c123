"""Which column of a table holds what, found by its heading in English or Vietnamese, however it is typed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gateway.domain import cells
from gateway.domain.errors import Refused
from gateway.domain.told import N_, Word

# What columns hold, as errors name it.
N_("code"), N_("name"), N_("phone"), N_("language"), N_("zone"), N_("hours"), N_("opens"), N_("closes"), N_("discreet"), N_("tones")
N_("unit"), N_("unit name"), N_("worker"), N_("groups"), N_("status"), N_("status reason"), N_("opt out"), N_("consent")
N_("consent basis"), N_("consent on"), N_("consent reminder"), N_("consent check in"), N_("consent service information")
N_("consent study"), N_("appointment id"), N_("client"), N_("day"), N_("days from today"), N_("time"), N_("state")


@dataclass(frozen=True, slots=True)
class Columns:
    """`places`: field -> its columns, from 0. `own`: columns kept, with their heading, as own fields.

    `ignored`: headings nobody asked for; not read, since a register may hold what we must not keep.
    """

    places: Mapping[str, tuple[int, ...]]
    own: tuple[tuple[int, str], ...]
    ignored: tuple[str, ...]
    width: int

    def cell(self, row: Sequence[str], field: str) -> str:
        """The row's cell for a field of one column, tidied; empty when the column or the cell is missing."""
        place = self.places.get(field)
        return cells.clean(row[place[0]]) if place and place[0] < len(row) else ""

    def all_cells(self, row: Sequence[str], field: str) -> list[str]:
        """The row's filled cells for a field that may have several columns, as typed."""
        return [row[place] for place in self.places.get(field, ()) if place < len(row) and row[place].strip()]


def find(
    headings: Sequence[str],
    words: Mapping[str, Sequence[str]],
    *,
    required: Collection[str],
    several: Collection[str] = (),
    own: Collection[str] = (),
) -> Columns:
    """Match each heading with the field that lists it in `words`, whatever its tones, case and spaces.

    `own` names further headings to keep. Refused when a required field has no column, or a field outside
    `several` has two. The message never repeats a heading, for the first line may be a person.
    """
    fields = {cells.key(word): field for field, listed in words.items() for word in listed}
    wanted = {cells.key(name) for name in own}
    places: dict[str, tuple[int, ...]] = {}
    kept, ignored = [], []
    for place, heading in enumerate(headings):
        name = cells.clean(heading)
        field = _field(cells.key(name), fields, several)
        if field is not None:
            places[field] = (*places.get(field, ()), place)
        elif cells.key(name) in wanted:
            kept.append((place, name))
        elif name:
            ignored.append(name)
    _check(places, words, required, several)
    return Columns(places, tuple(kept), tuple(ignored), len(headings))


def guess(headings: Sequence[str], words: Mapping[str, Sequence[str]], several: Collection[str] = ()) -> list[str | None]:
    """The field that each heading seems to name; None where it names none that is known."""
    fields = {cells.key(word): field for field, listed in words.items() for word in listed}
    return [_field(cells.key(cells.clean(heading)), fields, several) for heading in headings]


def _field(key: str, fields: Mapping[str, str], several: Collection[str]) -> str | None:
    """The field of a heading; "Phone 2" is one more column of a field that may have several."""
    field = fields.get(key) or fields.get(key.rstrip("0123456789"))
    return field if field in several or key in fields else None


def _check(
    places: Mapping[str, tuple[int, ...]],
    words: Mapping[str, Sequence[str]],
    required: Collection[str],
    several: Collection[str],
) -> None:
    for field in required:
        if field not in places:
            listed = ", ".join(words[field][:4])
            raise Refused(
                "The first line must name the columns, and none is named as the {field}. Give its column one of these "
                "names: {listed}.",
                field=Word(field.replace("_", " ")), listed=listed,
            )
    for field, columns in places.items():
        if len(columns) > 1 and field not in several:
            raise Refused(
                "Columns {first} and {last} are both named as the {field}, and nothing says which to take. Rename one of them.",
                first=columns[0] + 1, last=columns[-1] + 1, field=Word(field.replace("_", " ")),
            )
