"""A process that holds secrets leaves no core and lets nobody attach."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")

CRASH = """
import ctypes, os, resource, signal
from tachograph.credentials.process import keep_memory_private
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
assert keep_memory_private()
secret = "s3cret" * 1000
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE
print(os.stat(f"/proc/{os.getpid()}/mem").st_uid, flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_crash_leaves_no_core(tmp_path: Path) -> None:
    """Not even where the system would write one beside the program, and its memory belongs to root alone."""
    child = subprocess.Popen([sys.executable, "-c", CRASH], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    owner = child.stdout.read().strip()
    child.stdout.close()
    status = os.waitpid(child.pid, 0)[1]
    child.returncode = os.waitstatus_to_exitcode(status)
    assert (child.returncode, os.WCOREDUMP(status), owner) == (-signal.SIGSEGV, False, "0")
    assert list(tmp_path.iterdir()) == []


def test_a_forked_worker_inherits_it() -> None:
    """The workers of an ingress are forked after it."""
    code = """
import ctypes, os, sys
from tachograph.credentials.process import keep_memory_private
keep_memory_private()
child = os.fork()
if child == 0:
    os._exit(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
