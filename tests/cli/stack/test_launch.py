"""launch.py: an engine dies with its parent and never runs as root."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tachograph.cli.stack import launch, processes

ENDLESS = "import signal; print('up', flush=True); signal.pause()"
WAIT = 60.0


def command(parent: int, uid: int, gid: int, program: str) -> list[str]:
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(parent), str(uid), str(gid)]
    return [*launcher, sys.executable, "-I", "-c", program]


def test_the_engine_replaces_the_launcher() -> None:
    """Same pid, so what is watched and signalled is the engine itself."""
    program = "import os; print(os.getpid())"
    with subprocess.Popen(command(os.getpid(), -1, -1, program), stdout=subprocess.PIPE, text=True) as child:
        out, _ = child.communicate(timeout=WAIT)
    assert (child.returncode, int(out)) == (0, child.pid)


def test_an_engine_does_not_outlive_a_killed_parent() -> None:
    """SIGKILL to the parent, which can clean nothing up, still ends the engine."""
    parent_program = textwrap.dedent(f"""
        import os, subprocess, sys
        rest = {command(0, -1, -1, ENDLESS)!r}
        rest[4] = str(os.getpid())
        child = subprocess.Popen(rest, stdout=subprocess.PIPE)
        child.stdout.readline()
        print(child.pid, flush=True)
        sys.stdin.read()
    """)
    arguments = [sys.executable, "-I", "-c", parent_program]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        engine = processes.identify(int(parent.stdout.readline()))
        assert engine is not None
        assert processes.alive(engine)
        parent.send_signal(signal.SIGKILL)
        assert processes.wait_until(lambda: not processes.alive(engine), WAIT)


def test_an_engine_whose_parent_is_gone_does_not_begin() -> None:
    """The gap between fork and the kernel's promise is closed by a look at the parent."""
    done = subprocess.run(
        command(1, -1, -1, ENDLESS), capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert done.returncode == 1
    assert "the parent ended" in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root can give up root")
def test_root_is_given_up_for_good() -> None:
    """User, group and further groups are the engine's, and there is no way back."""
    shell = "id -u; id -g; id -G; grep CapEff /proc/self/status"
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), "1234", "1235"]
    done = subprocess.run(
        [*launcher, "/bin/sh", "-c", shell],
        capture_output=True,
        text=True,
        cwd=Path("/"),
        timeout=WAIT,
        check=True,
    )
    assert done.stdout.split() == ["1234", "1235", "1235", "CapEff:", "0000000000000000"]
