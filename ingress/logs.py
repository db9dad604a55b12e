"""Logs of the process: one JSON object a line on standard error, libraries from warnings up, no payload.

Standard output belongs to `ready`: whoever waits for that line reads no further, and a pipe that nobody reads
would stop the data path. For the same reason a reader of the log that is gone costs lines, never a thread.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO, cast

import orjson
import structlog

from tachograph.ingress.faults import place

__all__ = ["log_to_stderr"]


class _Stderr:
    """Standard error as it is now; writing to it never raises."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


class _Lines(logging.Formatter):
    """A library's line in the form of ours; of an exception its kind and place, never its text."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        error = record.exc_info[1] if record.exc_info else None
        return orjson.dumps(line | (place(error) if error else {})).decode()


def log_to_stderr() -> None:
    """Send our own log and the libraries' to standard error."""
    stream = cast("TextIO", _Stderr())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
