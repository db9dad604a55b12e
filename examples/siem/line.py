"""One OCSF event as one line for a person. Only attributes of OCSF are read, none of Tachograph's own.

Any consumer that speaks OCSF finds its way with the class, the time, the actor and the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_NOTHING = "-"


def line(event: Mapping[str, Any]) -> str:
    """Time, severity, status, who, type and message; a control character never reaches the terminal."""
    who = at(event, "actor", "user", "name") or at(event, "actor", "session", "uid") or _NOTHING
    fields = (
        _moment(event.get("time")),
        str(event.get("severity", _NOTHING)),
        str(event.get("status", _NOTHING)),
        str(who),
        str(event.get("type_name", _NOTHING)),
        str(event.get("message", "")),
        *_tokens(event),
    )
    return "  ".join("".join(c if c.isprintable() else "\ufffd" for c in text) for text in fields)


def at(event: Mapping[str, Any], *path: str) -> Any:
    """The value at a path, or None."""
    value: Any = event
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _moment(time: Any) -> str:
    if not isinstance(time, int):
        return _NOTHING
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds")


def _tokens(event: Mapping[str, Any]) -> list[str]:
    model = at(event, "ai_model", "name")
    total = at(event, "message_context", "total_tokens")
    return [f"[{model}, {total} tokens]"] if model and total is not None else []
