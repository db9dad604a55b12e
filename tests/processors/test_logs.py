"""Logs: one JSON object a line on standard error."""

import json
import subprocess
import sys

from tachograph.processors.logs import Alarm

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


def test_a_log_that_nobody_reads_ends_nothing() -> None:
    """Lines to a closed standard error are lost; the process is not."""
    code = "import sys; sys.stderr.close()" + _CODE + "print('lives')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "lives\n"


def test_an_alarm_repeats_after_its_time_for_each_subject() -> None:
    """A lasting condition does not flood the log, and does not fall silent."""
    now = [0.0]
    alarm = Alarm(60, clock=lambda: now[0])
    assert alarm.due("0")
    assert alarm.due("1")
    assert not alarm.due("0")
    now[0] = 60.0
    assert alarm.due("0")
