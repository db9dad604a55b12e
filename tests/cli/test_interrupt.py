"""Ctrl-C ends a command with 130 and a word on how to go on, wherever it was just waiting."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tachograph.cli.errors import Interrupted, Refused
from tachograph.cli.home import make_home
from tachograph.cli.interrupt import interruptible

SECONDS = 60.0
"""The bound of every wait: a process starts in it."""
_COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs tests in the background ignores it
from tachograph.cli.main import main
main()
"""


def test_it_says_what_stands_at_that_moment() -> None:
    """A text, or what is asked for it only then; other errors pass."""
    said = "two of three"
    for text in ("two of three", lambda: said):
        with pytest.raises(Interrupted, match="two of three") as caught, interruptible(text):
            raise KeyboardInterrupt
        assert caught.value.exit_code == 130
    with pytest.raises(Refused), interruptible("unsaid"):
        raise Refused


@pytest.mark.parametrize(
    ("command", "next_step"),
    [
        (("erase", "somebody", "--yes"), "Run the same command again"),
        (("replay", "0a46", "--listen", ":0"), "run the same command again"),
    ],
)
def test_a_signal_while_an_engine_does_not_answer(
    tmp_path: Path, command: tuple[str, ...], next_step: str
) -> None:
    """One line, no traceback, 130: with a process of its own and an OpenSearch that never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SECONDS)
        file = make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z").file
        value = yaml.safe_load(file.read_text())
        value["opensearch"] = {"url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        file.write_text(yaml.safe_dump(value))
        line = [sys.executable, "-c", _COMMAND, *command, "--config", str(file)]
        running = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            asked, _ = silent.accept()
            with asked:
                running.send_signal(signal.SIGINT)
                out, said = running.communicate(timeout=SECONDS)
        finally:
            running.kill()
    assert (running.returncode, out) == (130, ""), said
    assert next_step in said
    assert said.startswith("interrupted: ")
    assert "Traceback" not in said
