"""Logs: one JSON object a line on standard error."""

import json
import subprocess
import sys

_CODE = """
import logging, structlog
from tachograph.processors.logs import log_to_stderr
log_to_stderr()
structlog.get_logger("ours").warning("told", partition=3)
logging.getLogger("theirs").warning("also %s", "told")
logging.getLogger("theirs").info("not told")
"""


def test_our_lines_and_the_libraries_are_json() -> None:
    """Both kinds of lines parse, libraries only from warnings up, nothing on standard output."""
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("told", "warning"),
        ("also told", "warning"),
    ]
    assert lines[0]["partition"] == 3
    assert done.stdout == ""
