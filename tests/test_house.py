"""The house keeps its own rules: every file has its test, rooms hold what they say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (
    *("schemas", "approvals", "credentials", "identity", "operations", "ingress", "processors", "sinks"),
    *("console", "forensics", "cli"),
)
MAX_FUNCTION_LINES = 60


def code_files() -> list[Path]:
    """Every Python file of the rooms, relative to the root; package docstrings carry no law of their own."""
    found = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return sorted(path.relative_to(ROOT) for path in found if path.name != "__init__.py")


def test_there_is_code_to_check() -> None:
    """The list of files that the other tests walk is not empty by mistake."""
    assert len(code_files()) > 10


@pytest.mark.parametrize("path", code_files(), ids=str)
def test_every_file_has_its_test(path: Path) -> None:
    """`room/a/b.py` is tested by `tests/room/a/test_b.py`."""
    name = path.name.strip("_").removesuffix(".py").strip("_")
    assert (ROOT / "tests" / path.parent / f"test_{name}.py").is_file()


@pytest.mark.parametrize("path", code_files(), ids=str)
def test_every_file_states_its_law_first(path: Path) -> None:
    """Each file opens with a docstring."""
    assert ast.get_docstring(ast.parse((ROOT / path).read_text()))


@pytest.mark.parametrize("path", code_files(), ids=str)
def test_functions_stay_readable(path: Path) -> None:
    """No function of the rooms is longer than one screen."""
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    sizes = {
        node.name: (node.end_lineno or 0) - node.lineno for node in ast.walk(tree) if isinstance(node, kinds)
    }
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize("room", [room for room in ROOMS if (ROOT / room).is_dir()])
def test_package_files_hold_a_docstring_only(room: str) -> None:
    """`__init__.py` files explain their package and define nothing."""
    for path in (ROOT / room).rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert isinstance(body[0], ast.Expr), path
        extra = [
            node
            for node in body[1:]
            if not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        ]
        assert extra == [], path


def test_the_rooms_are_one_package() -> None:
    """Each room at the top level imports as `tachograph.<room>`."""
    rooms = ", ".join(f"tachograph.{room}" for room in ROOMS)
    done = subprocess.run(
        [sys.executable, "-c", f"import {rooms}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
