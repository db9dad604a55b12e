"""What a process that holds secrets gives up: core dumps, and other processes' sight of its memory."""

from __future__ import annotations

import ctypes
import resource
import sys

__all__ = ["keep_memory_private"]

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> bool:
    """No core dump of this process or its children, and no tracing by others of the same user (Linux).

    Returns whether all of it took effect. A program that a child executes gets its own sight back, and
    keeps the limit on core dumps.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return False
    # prctl(2): a process that is not dumpable leaves no core and cannot be attached to.
    failed: int = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return not failed
