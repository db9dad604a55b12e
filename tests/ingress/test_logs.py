"""Logs: JSON on standard error, nothing on standard output, no text of an exception, no way to fail."""

import json
import subprocess
import sys

_CODE = """
import logging, os, structlog
from tachograph.ingress.logs import log_to_stderr
log_to_stderr()
structlog.get_logger("ours").error("told", reason="disk")
logging.getLogger("theirs").warning("also %s", "told")
logging.getLogger("theirs").info("not told")
try:
    raise ValueError("sk-secret")
except ValueError:
    logging.getLogger("theirs").exception("failed")
"""
_GONE = """
import os, sys, structlog
from tachograph.ingress.logs import log_to_stderr
log_to_stderr()
reading, writing = os.pipe()
os.dup2(writing, 2)
os.close(reading)
structlog.get_logger("ours").error("told")
print("alive")
"""


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_our_lines_and_the_libraries_are_json_on_standard_error() -> None:
    """Whoever reads standard output for `ready` only is never in the way of a log line."""
    done = _run(_CODE)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("told", "error"),
        ("also told", "warning"),
        ("failed", "error"),
    ]
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert (lines[0]["reason"], lines[1]["logger"], done.stdout) == ("disk", "theirs", "")


def test_an_exception_is_told_without_its_text() -> None:
    """A library's exception may hold a payload; its kind and place do not."""
    done = _run(_CODE)
    assert "sk-secret" not in done.stderr
    last = json.loads(done.stderr.splitlines()[-1])
    assert (last["kind"], len(last["frames"])) == ("ValueError", 1)


def test_a_log_without_a_reader_stops_nothing() -> None:
    """The spool's writer lives on when the process that read the log is gone."""
    assert _run(_GONE).stdout == "alive\n"
