"""Logs of the process: one JSON object a line on standard error, libraries from warnings up, no payload."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from typing import TextIO, cast

import structlog

__all__ = ["Alarm", "log_to_stderr"]

_STEPS: tuple[structlog.typing.Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


class _Stderr:
    """Standard error as it is now; a reader of the log that is gone costs lines, never a record."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send our own log and the libraries' to standard error."""
    stream = cast("TextIO", _Stderr())
    structlog.configure(
        processors=[*_STEPS, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # lines of code, no locals
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=_STEPS,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


class Alarm:
    """Lets a lasting condition be logged once in a while, for each subject."""

    def __init__(self, every_s: float, *, clock: Callable[[], float]) -> None:
        self._every_s = every_s
        self._clock = clock
        self._last: dict[str, float] = {}

    def due(self, subject: str) -> bool:
        """Whether to say it now; counts as said."""
        now = self._clock()
        if subject in self._last and now - self._last[subject] < self._every_s:
            return False
        self._last[subject] = now
        return True
