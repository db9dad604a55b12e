"""Ctrl-C in a command that changes or sends something: no traceback, but what stands, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tachograph.cli.errors import Interrupted

__all__ = ["interruptible"]


@contextmanager
def interruptible(text: str | Callable[[], str]) -> Iterator[None]:
    """Within it, SIGINT ends in `Interrupted` with this text: what was done, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(text if isinstance(text, str) else text()) from None
