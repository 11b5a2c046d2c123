"""A house with servers, processes and a carrier for the whole run; a stage of its own for each case."""

from collections.abc import Callable, Iterator

import pytest

from tests.faults.invariants import check_invariants
from tests.faults.stage import House, Stage, close_stages, open_house, open_stage


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), keys) as made:
        yield made


@pytest.fixture
def stage(house: House, record_property: Callable[[str, object], None]) -> Iterator[Stage]:
    """Everything runs and behaves at the start; at the end it is made to run again, and the invariants are checked."""
    house.restore()
    close_stages(house)
    made = open_stage(house)
    yield made
    house.restore()
    for each in (made, *made.others):
        check_invariants(each)
    for what, figure in made.figures.items():
        record_property(what, f"{figure:.2f}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the faults cost, case by case."""
    for report in terminalreporter.getreports(""):
        for what, figure in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {what}: {figure}")
