"""A record that ends its process is remembered by the next one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tachograph.processors import attempts as attempts_module
from tachograph.processors.attempts import Attempts
from tachograph.processors.lanes import Place

PLACE = Place("t.raw", 1)
_HELD = """
import ctypes, os, signal, sys
from pathlib import Path
from tachograph.processors.attempts import Attempts
from tachograph.processors.lanes import Place
attempts = Attempts(Path(sys.argv[1]), slot=0, hang_s={seconds})
with attempts.at(Place("t.raw", 1), 7):
    {what}
print("went on")
"""
_ENDS = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", 60, -signal.SIGKILL),
    "held": ("ctypes.PyDLL(None).sleep(60)", 0.2, -signal.SIGALRM),
    "crashed": ("ctypes.string_at(0)", 60, -signal.SIGSEGV),
}
"""What happens in the middle of a record, after how many seconds it counts as hanging, how that ends."""
BOUND_S = 60.0


@pytest.mark.parametrize("how", _ENDS)
def test_what_ended_a_process_is_known_to_the_next(how: str, tmp_path: Path) -> None:
    """SIGKILL, a call that keeps the interpreter past its time, and a crash in C: each leaves its mark."""
    what, seconds, code = _ENDS[how]
    for deaths in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", _HELD.format(what=what, seconds=seconds), str(tmp_path)],
            capture_output=True,
            timeout=BOUND_S,
            check=False,
        )
        assert (done.returncode, done.stdout) == (code, b"")
        assert Attempts(tmp_path, slot=0).deaths(PLACE, 7) == deaths
    assert Attempts(tmp_path, slot=0).deaths(PLACE, 8) == 0
    assert Attempts(tmp_path, slot=1).deaths(PLACE, 7) == 0


def test_what_returns_or_raises_leaves_no_mark(tmp_path: Path) -> None:
    """Only what nobody could catch counts."""
    attempts = Attempts(tmp_path, slot=0)
    with attempts.at(PLACE, 7):
        pass
    with pytest.raises(MemoryError), attempts.at(PLACE, 7):
        raise MemoryError
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    attempts.close()
    assert Attempts(tmp_path, slot=0).deaths(PLACE, 7) == 0


def test_an_orderly_end_is_pardoned(tmp_path: Path) -> None:
    """A stop in the middle of a record is not the record's doing."""
    attempts = Attempts(tmp_path, slot=0)
    with attempts.at(PLACE, 7):
        attempts.pardon()
        assert Attempts(tmp_path, slot=0).deaths(PLACE, 7) == 0


def test_the_memory_is_bounded_and_survives_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten; a file that cannot be read counts as none."""
    monkeypatch.setattr(attempts_module, "MAX_REMEMBERED", 5)
    (tmp_path / "attempts-0.json").write_bytes(b"{not")
    for offset in range(6):
        (tmp_path / "in-hand-0").write_text(f"t.raw/1/{offset}")
        attempts = Attempts(tmp_path, slot=0)
        attempts.close()
    assert (attempts.deaths(PLACE, 0), attempts.deaths(PLACE, 1)) == (0, 1)
    assert attempts.deaths(PLACE, 5) == 1
