"""Fault points: off, unless asked for."""

import subprocess
import sys
from signal import SIGKILL

import pytest

from tachograph.processors.faults import Faults


def test_without_a_wish_nothing_happens() -> None:
    """In production every point is passed."""
    faults = Faults.of({})
    for _ in range(3):
        faults.at("after-send")


def test_an_unknown_point_is_refused() -> None:
    """A test that names a point that is not there must not pass by never being killed."""
    with pytest.raises(ValueError, match="after-send"):
        Faults("after-lunch:1")


def test_the_named_pass_kills() -> None:
    """The third pass of the named point ends the process with SIGKILL, passes of others do not count."""
    code = (
        "from tachograph.processors.faults import Faults; f = Faults('after-send:3')\n"
        "for n in range(3): f.at('after-mask'); print(n, flush=True); f.at('after-send')\n"
        "print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-SIGKILL, "0\n1\n2\n")
