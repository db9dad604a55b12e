"""Children: awaited, restarted with a growing pause, stopped in order, gone with their parent."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tachograph.cli.errors import PartDied
from tachograph.cli.stack.processes import identify, wait_until
from tachograph.cli.supervisor import FIRST_BACKOFF, LAST_BACKOFF, STEADY_SECONDS, Part, Supervisor

WAIT = 60.0
SERVES = 'import signal, sys; print(\'ready {"url": "here"}\', flush=True); signal.pause()'
DIES = "import sys; print('because', file=sys.stderr); sys.exit(7)"
STUBBORN = (
    f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}\nwhile True: signal.pause()"
)


@pytest.fixture
def supervisors() -> Iterator[list[Supervisor]]:
    """Those that a test starts; all are stopped after it."""
    started: list[Supervisor] = []
    yield started
    for supervisor in started:
        supervisor.stop()


def _start(tmp_path: Path, supervisors: list[Supervisor], **programs: str) -> Supervisor:
    parts = [Part(name, (sys.executable, "-c", program)) for name, program in programs.items()]
    supervisor = Supervisor(parts, logs=tmp_path / "logs", run=tmp_path / "run")
    supervisors.append(supervisor)
    supervisor.start(now=0.0)
    return supervisor


def _dead(supervisor: Supervisor, name: str) -> bool:
    process = supervisor.parts[name].process
    return process is not None and process.poll() is not None


def test_a_part_is_ready_when_it_says_so(tmp_path: Path, supervisors: list[Supervisor]) -> None:
    """The JSON of its ready line is handed over."""
    supervisor = _start(tmp_path, supervisors, a=SERVES, b=SERVES)
    assert wait_until(supervisor.ready, WAIT)
    assert supervisor.parts["a"].ready() == {"url": "here"}


def test_a_part_that_ends_before_it_serves_is_an_error_with_its_log(
    tmp_path: Path, supervisors: list[Supervisor]
) -> None:
    """Nobody waits for it; the message holds the reason."""
    supervisor = _start(tmp_path, supervisors, a=DIES)
    assert wait_until(lambda: _dead(supervisor, "a"), WAIT)
    with pytest.raises(PartDied, match=r"(?s)exit code 7.*because"):
        supervisor.ready()


def test_a_part_that_dies_is_started_again_after_a_growing_pause(
    tmp_path: Path, supervisors: list[Supervisor]
) -> None:
    """First 0.5 s, then twice that, at most the bound; after a steady life from the beginning again."""
    supervisor = _start(tmp_path, supervisors, a=SERVES)
    now, pauses = 0.0, []
    for _ in range(7):
        assert wait_until(supervisor.ready, WAIT)
        supervisor.kill("a")
        assert wait_until(lambda: _dead(supervisor, "a"), WAIT)
        assert "by SIGKILL" in supervisor.tick(now=now)[0]
        due = supervisor.parts["a"].due
        assert due is not None
        pauses.append(due - now)
        assert supervisor.tick(now=due - 0.01) == []
        assert supervisor.tick(now=due) == ["a was started again"]
        now = due
    assert pauses[:3] == [FIRST_BACKOFF, 2 * FIRST_BACKOFF, 4 * FIRST_BACKOFF]
    assert max(pauses) == LAST_BACKOFF
    assert wait_until(supervisor.ready, WAIT)
    supervisor.kill("a")
    assert wait_until(lambda: _dead(supervisor, "a"), WAIT)
    supervisor.tick(now=now + STEADY_SECONDS)
    assert supervisor.parts["a"].due == now + STEADY_SECONDS + FIRST_BACKOFF


def test_parts_stop_when_asked(tmp_path: Path, supervisors: list[Supervisor]) -> None:
    """SIGTERM is enough for a part that listens to it."""
    supervisor = _start(tmp_path, supervisors, a=SERVES, b=SERVES)
    assert wait_until(supervisor.ready, WAIT)
    assert supervisor.stop() == []
    assert supervisor.tick(now=1.0) == []


def test_a_part_that_does_not_listen_is_killed(
    tmp_path: Path, supervisors: list[Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time it gets SIGKILL, and its name is told."""
    monkeypatch.setattr("tachograph.cli.supervisor.STOP_SECONDS", 0.2)
    supervisor = _start(tmp_path, supervisors, a=STUBBORN)
    assert wait_until(supervisor.ready, WAIT)
    assert supervisor.stop() == ["a"]


def test_children_do_not_outlive_their_parent(tmp_path: Path) -> None:
    """When the supervising process is killed, its part is gone too."""
    program = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from tachograph.cli.supervisor import Part, Supervisor
        part = Part("a", (sys.executable, "-c", {SERVES!r}))
        s = Supervisor([part], logs=Path({str(tmp_path)!r}), run=Path({str(tmp_path)!r}))
        s.start(now=0.0)
        while not s.ready(): time.sleep(0.05)
        print(s.parts["a"].identity.pid, flush=True)
        time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = identify(int(parent.stdout.readline()))
        assert child is not None
        os.kill(parent.pid, signal.SIGKILL)
    assert wait_until(lambda: identify(child.pid) != child, WAIT)
