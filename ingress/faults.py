"""How a defect of ours is logged: what kind and where, never the foreign text, which may hold a payload."""

from __future__ import annotations

import traceback

import structlog

__all__ = ["log_fault", "place"]

_log = structlog.get_logger(__name__)


def log_fault(event: str, error: BaseException) -> None:
    """Log the exception's type and frames (file and line), innermost last."""
    _log.error(event, **place(error))


def place(error: BaseException) -> dict[str, object]:
    """What may be told of an exception: `kind` and `frames`."""
    frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return {"kind": type(error).__name__, "frames": frames}
