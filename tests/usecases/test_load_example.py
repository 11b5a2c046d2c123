"""The example province fills an empty database, whole, and no other."""

import pytest
from sqlalchemy import Engine, text

from gateway.domain.errors import Refused
from gateway.store import channels, staff
from gateway.store.base import unit_of_work
from gateway.usecases import load_example
from gateway.vault import Vault


def test_the_example_fills_an_empty_database_once(engine: Engine, vault: Vault) -> None:
    load_example.load(engine, vault)
    with unit_of_work(engine) as work:
        counts = {table: work.value(text(f"SELECT count(*) FROM {table}")) for table in ("units", "clients", "appointments")}
        assert counts == {"units": 366, "clients": 3626, "appointments": 1400}
        assert work.value(text("SELECT bool_and(starts_at > now() - interval '1 day') FROM appointments WHERE status = 'booked'"))
        assert {member.code for member in staff.list_all(work, vault) if member.on_duty} == {"supervisor"}
        assert [channel.kind for channel in channels.list_all(work, vault)] == ["simulator"]
    with pytest.raises(Refused, match="in use"):
        load_example.load(engine, vault)


def test_an_example_that_fails_leaves_nothing(engine: Engine, vault: Vault, tmp_path) -> None:
    (tmp_path / "units.csv").write_bytes((load_example.EXAMPLES / "province" / "units.csv").read_bytes())
    with pytest.raises(FileNotFoundError):
        load_example.load(engine, vault, folder=tmp_path)
    with unit_of_work(engine) as work:
        assert work.value(text("SELECT count(*) FROM units")) == 0
