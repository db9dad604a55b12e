"""`tacho canary --once`: the exit code is the verdict, and what is printed holds counts and places only."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tachograph.cli.home import make_home
from tachograph.cli.main import app
from tachograph.processors import canary


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, missing: int, leaks: tuple[str, ...]) -> Result:
    class Known:
        """An agent whose round ends as the test says; the real one has its own tests against Kafka."""

        def __init__(self, *_: Any, **__: Any) -> None: ...

        def round(self, exchanges: int, *, wait_s: float) -> canary.Result:
            return canary.Result("s", exchanges, 7, missing, leaks)

    made = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z")
    monkeypatch.setattr(canary, "Canary", Known)
    return CliRunner().invoke(app, ["canary", "--once", "--json", "--config", str(made.file)])


@pytest.mark.parametrize(
    ("missing", "leaks", "code"), [(0, (), 0), (0, ("header",), 1), (3, (), 3), (3, ("header",), 1)]
)
def test_the_exit_code_is_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int, leaks: tuple[str, ...], code: int
) -> None:
    """0 good, 1 a leak, 3 nothing came; a leak outranks what is missing."""
    done = run(tmp_path, monkeypatch, missing=missing, leaks=leaks)
    assert done.exit_code == code
    assert json.loads(done.stdout)["leaks"] == list(leaks)
