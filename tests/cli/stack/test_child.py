"""child.py: an engine is started apart, watched, and ended within its bound."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.stack import child, processes

IGNORE = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
ENDLESS = "import signal; print('up', flush=True); signal.pause()"
WAIT = 60.0


def command(folder: Path, program: str) -> child.Command:
    arguments = [sys.executable, "-I", "-c", program]
    return child.Command("kafka", arguments, folder, folder / "console.log", folder / "kafka.log")


def ended(process: child.Child) -> child.Death:
    assert process.ends_within(WAIT)
    death = process.death()
    assert death is not None
    return death


def test_an_engine_has_its_own_process_group(tmp_path: Path) -> None:
    """The terminal's Ctrl-C reaches our group only."""
    process = child.Child(command(tmp_path, "import os; print(os.getpgrp())"), None)
    ended(process)
    assert int((tmp_path / "console.log").read_text()) == process.pid != os.getpgrp()


def test_an_engine_inherits_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of our environment it gets what names paths and language, nothing else."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "planted-value")
    program = "import os; print(sorted(set(os.environ) - {'PATH', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ'}))"
    ended(child.Child(command(tmp_path, program), None))
    assert (tmp_path / "console.log").read_text() == "[]\n"


def test_a_death_tells_code_log_and_last_lines(tmp_path: Path) -> None:
    """The end of the console, when the engine wrote no log of its own."""
    death = ended(child.Child(command(tmp_path, "print('first'); raise SystemExit('last words')"), None))
    assert (death.engine, death.exit_code, death.ending) == ("kafka", 1, "exit code 1")
    assert death.log == tmp_path / "console.log"
    assert "last words" in death.last_lines


def test_a_killed_engine_tells_the_signal(tmp_path: Path) -> None:
    """The kernel's memory killer and `kill -9` show as SIGKILL."""
    process = child.Child(command(tmp_path, "import os; os.kill(os.getpid(), 9)"), None)
    assert ended(process).ending == "by SIGKILL"


def test_a_running_engine_has_no_death(tmp_path: Path) -> None:
    """Until it is asked to end; then it does, within its grace."""
    process = child.Child(command(tmp_path, ENDLESS), None)
    assert process.death() is None
    assert not process.ends_within(0)
    process.ask_to_end()
    assert process.end(WAIT)
    process.ask_to_end()  # does nothing to an ended one


def test_a_stubborn_engine_is_killed(tmp_path: Path) -> None:
    """After its grace, and it is gone when the call returns."""
    process = child.Child(command(tmp_path, IGNORE + ENDLESS), None)
    assert processes.wait_until(lambda: "up" in (tmp_path / "console.log").read_text(), WAIT)
    process.ask_to_end()
    assert not process.end(0.1)
    death = process.death()
    assert death is not None
    assert death.exit_code == -signal.SIGKILL


def test_the_last_lines_leave_out_stack_frames(tmp_path: Path) -> None:
    """What happened, not where in the Java code."""
    log = tmp_path / "log"
    log.write_text("Caused by: no space left\n\tat java.base/x\n\t... 6 more\n")
    assert child.last_lines(tmp_path / "absent", log) == (log, ("Caused by: no space left",))


@given(st.binary(max_size=2000))
def test_any_log_has_bounded_last_lines(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """At most LAST_LINES lines of bounded length, whatever the bytes."""
    log = tmp_path_factory.mktemp("log") / "log"
    log.write_bytes(content)
    _, lines = child.last_lines(log)
    assert len(lines) <= child.LAST_LINES
    assert all(len(line) <= 400 for line in lines)
