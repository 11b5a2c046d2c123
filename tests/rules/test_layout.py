"""The project's sizes: what a newcomer can read once."""

import ast
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("gateway", "workers") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted(path for folder in ("tests", "bench", "examples") for path in (ROOT / folder).rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 500, 60
NAMELESS = {"utils", "helpers", "common", "manager", "process", "misc"}


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _functions(path: Path) -> list[tuple[str, int]]:
    """Each function and its lines, those of functions inside it left out."""
    tree = ast.parse(path.read_text("utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", _length(node)) for node in found]


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    inner = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n is not node]
    own = [n for n in inner if not any(n in ast.walk(other) for other in inner if other is not n)]
    return (node.end_lineno or 0) - node.lineno + 1 - sum((n.end_lineno or 0) - n.lineno + 1 for n in own)


def test_files_are_short() -> None:
    assert [str(path) for path in FILES + TESTS if _lines(path) > LONGEST_FILE] == []


def test_functions_are_short() -> None:
    functions = [each for path in FILES + TESTS for each in _functions(path)]
    assert [each for each in functions if each[1] > LONGEST_FUNCTION] == []


def test_the_medians_are_those_of_a_program_that_is_read(capsys) -> None:
    files = median(_lines(path) for path in FILES if path.name != "__init__.py")
    functions = median(length for path in FILES for _, length in _functions(path))
    with capsys.disabled():
        print(f"\nmedian file {files:.0f} lines, median function {functions:.0f} lines", end=" ")
    assert files <= 200
    assert functions <= 15


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in FILES + TESTS if path.stem in NAMELESS] == []
