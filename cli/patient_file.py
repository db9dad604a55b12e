"""A file that is given by name, or a pipe such as `<(tacho trust)`: read whole, bounded in size and time.

A pipe is waited for as long as somebody writes to it; of one that nobody writes to, nobody waits for ever.
"""

from __future__ import annotations

import errno
import os
import select
from pathlib import Path

__all__ = ["SILENCE_SECONDS", "read_at_most"]

SILENCE_SECONDS = 30.0
"""Without a byte; enough for a command that opens a secret store first."""
_NEVER_WAITING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


def read_at_most(path: Path, most: int) -> bytes:
    """Its first `most` bytes. Raises `OSError`; `TimeoutError` where it was silent for too long."""
    number = os.open(path, _NEVER_WAITING)
    try:
        return _read(number, most)
    finally:
        os.close(number)


def _read(number: int, most: int) -> bytes:
    data, written = bytearray(), select.poll()
    written.register(number, select.POLLIN)
    while len(data) < most:
        if not written.poll(SILENCE_SECONDS * 1000):
            raise TimeoutError(errno.ETIMEDOUT, f"nobody wrote to it for {SILENCE_SECONDS:.0f} s")
        try:
            piece = os.read(number, most - len(data))
        except BlockingIOError:  # somebody else was quicker
            continue
        if not piece:
            break
        data += piece
    return bytes(data)
