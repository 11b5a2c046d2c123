"""Fill an empty database with the example province, staff to work as, and a simulated channel: invented people only."""

import csv
import secrets
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine

from gateway.content import load as load_content
from gateway.domain import cells
from gateway.domain.errors import Refused
from gateway.store import channels, staff, units
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.usecases import seed_holidays
from gateway.usecases.run_imports import KINDS
from gateway.usecases.tables import Options, Table
from gateway.vault import Vault

EXAMPLES = Path(__file__).parents[2] / "examples"

# Who can be named by --as, and in which language. The alert phones are handsets of the simulator, like all others.
STAFF = (
    ("admin", "Trần Ngọc Anh", "SV", "administrator", "en", None),
    ("supervisor", "Lê Minh Châu", "SV", "supervisor", "en", "+84900009901"),
    ("worker", "Phạm Thu Hà", "SV-01", "case_worker", "en", "+84900009902"),
    ("canbo", "Nguyễn Thu Thủy", "SV-01", "case_worker", "vi", None),
    ("analyst", "Vũ Đức Bảo", "SV", "analyst", "vi", None),
)
ON_DUTY = {"supervisor"}
SENDER = "+84900009900"


def load(engine: Engine, vault: Vault, folder: Path = EXAMPLES / "province") -> None:
    """Load it in one transaction. Raises Refused unless the database is empty."""
    content = load_content()
    with unit_of_work(engine, SYSTEM) as work:
        if units.any_there(work):
            raise Refused("this database is in use: the example register is loaded only into an empty one")
        ids = _load_units(work, folder / "units.csv")
        top = next(iter(ids.values()))
        for code, name, unit, role, language, phone in STAFF:
            staff.add(work, vault, unit_id=ids[unit], code=code, name=name, role=role, language=language, phone=phone,
                      on_duty=code in ON_DUTY)  # fmt: skip
        seed_holidays.seed(work, top, "VN", None, range(work.now.year, work.now.year + 3), "vi")
        channels.add(work, vault, unit_id=top, name="simulator", kind="simulator",
                     settings={"secret": secrets.token_urlsafe(32), "sender": SENDER})  # fmt: skip
        for kind, options in {"clients": Options(unit=next(iter(ids)), yes_means=("reminder",)), "appointments": Options(), "services": Options()}.items():
            table = Table(folder / f"{kind}.csv", options, _unheard)
            KINDS[kind].take_over(work, vault, content, table, KINDS[kind].counts())


def _unheard(*_row: object) -> None:
    """The mess in the example register is there on purpose; trying `client import` on it shows the reasons."""


def _load_units(work: Work, path: Path) -> dict[str, UUID]:
    """The tree, parents before their children; code -> id, the top first."""
    ids: dict[str, UUID] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            ids[row["code"]] = _add_unit(work, row, ids.get(row["parent"]))
    return ids


def _add_unit(work: Work, row: Mapping[str, str], parent_id: UUID | None) -> UUID:
    return units.add(
        work, kind=row["kind"], code=row["code"], name=row["name"], time_zone=row["time_zone"], language=row["language"],
        region=row["region"], parent_id=parent_id, hours=cells.read_window(f"{row['opens']}-{row['closes']}"), tones=row["tones"],
        details={name: row[name] for name in ("service", "phone", "helplines")},
    )  # fmt: skip
