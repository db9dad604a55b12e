"""What the documents tell a newcomer to type or to open is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import typer.main

from tachograph.cli.main import app

ROOT = Path(__file__).parent.parent
PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "bench" / "README.md")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


def commands(page: Path, program: str) -> list[str]:
    """Every command line of the page's shell blocks that runs `program`, without its comment."""
    lines = (line for block in FENCE.findall(page.read_text()) for line in block.splitlines())
    found = (re.match(rf"(?:\S*/)?{program}\s+([^#]*)", line) for line in lines)
    return [match[1].strip() for match in found if match]


@cache
def make_targets() -> frozenset[str]:
    """What `make` knows, by its own list of rules."""
    make = shutil.which("make")
    assert make, "make is not on PATH"
    done = subprocess.run([make, "-pRrq", ":"], cwd=ROOT, capture_output=True, text=True, check=False)
    return frozenset(re.findall(r"^([a-z][a-z%-]*):", done.stdout, re.MULTILINE))


def test_the_readme_has_its_two_commands() -> None:
    """A newcomer needs `make demo` and `make test`, and nothing before them."""
    first = FENCE.findall((ROOT / "README.md").read_text())[0]
    assert [line.split()[:2] for line in first.strip().splitlines()] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is a file or folder of the repository."""
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    """Every `make` word in a shell block is a target."""
    wanted = {line.split()[0] for line in commands(page, "make")}
    known = make_targets()
    assert {name for name in wanted if name not in known and not name.startswith("bench-")} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tacho_commands_exist(page: Path) -> None:
    """Every `tacho` word in a shell block is a command."""
    group = typer.main.get_command(app)
    known = set(group.list_commands(group.make_context("tacho", [], resilient_parsing=True)))  # type: ignore[attr-defined]  # a group, by construction
    wanted = {line.split()[0] for line in commands(page, "tacho")}
    assert wanted - known == set()


def test_the_readme_names_every_exit_code() -> None:
    """The contract of exit codes stands in the README as it stands in the help text."""
    command = [sys.executable, "-m", "tachograph.cli.main", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    parts = (
        "0 good, 1 bad verdict or refused, 2 wrong use, 3 a part that",
        "130 interrupted",
        "4 and from 10 on",
    )
    for text in (said, (ROOT / "README.md").read_text()):
        flat = " ".join(text.split())
        assert [part for part in parts if part not in flat] == []
