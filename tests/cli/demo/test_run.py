"""The demo itself, as a person runs it, with processor and sink each killed once on the way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engines

SECONDS = 900.0
"""More than the demo's own bounds come to."""


def test_after_two_crashes_everything_still_holds(tmp_path: Path) -> None:
    """Every exchange has its two documents, tool calls are linked, what was held went once or not at all, no
    credential is anywhere, exit code 0.
    """
    tmp_path.chmod(0o755)  # as root, the engines run as another user and must be able to enter
    command = [sys.executable, "-m", "tachograph.cli.main", "demo", "--exit", "--json", "--crash"]
    command += ["--seed", "1"]  # a commit is judged by the same credentials each time
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"TACHO_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told) == [
        "exchanges",
        "documents",
        "linked_tool_calls",
        "held",
        "approved",
        "denied",
        "forwarded_without_decision",
        "secrets_planted",
        "secrets_found",
        "seconds",
    ]
    assert told["exchanges"] == 50
    assert told["documents"] > 2 * told["exchanges"]
    assert told["linked_tool_calls"] == 14
    assert (told["held"], told["approved"], told["denied"], told["forwarded_without_decision"]) == (
        2,
        1,
        1,
        0,
    )
    assert done.stderr.count("HELD: demo-agent wants tools/call") == 2
    assert (told["secrets_planted"], told["secrets_found"]) == (18, 0)
    assert done.stderr.count("with SIGKILL") == 2
