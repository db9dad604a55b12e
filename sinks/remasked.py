"""The same capture masked under another ruleset: neither a copy of the document nor an equivocation.

When rules change, a restarted processor may send records once more whose documents an older ruleset made.
Both tell of one capture: the header, with its commitment to the raw bytes, is equal. The first document
stands.
"""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["remasked"]

CAPTURE = (
    "uid",
    "type",
    "ts",
    "session",
    "epoch",
    "seq",
    "prev",
    "exchange",
    "connection",
    "direction",
    "principal",
    "raw_commit",
    "raw_len",
    "registry",
)
"""What the ingress fixed before any masking; a record that differs here is another record."""


def remasked(stored: bytes, value: bytes) -> bool:
    """Whether both values stand for one capture and name two different rulesets."""
    ours, theirs = _tacho(stored), _tacho(value)
    if ours is None or theirs is None or "raw_commit" not in ours:
        return False
    rules = ours.get("ruleset"), theirs.get("ruleset")
    if None in rules or rules[0] == rules[1]:
        return False
    return all(ours.get(name) == theirs.get(name) for name in CAPTURE)


def _tacho(value: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(value)["unmapped"]["tacho"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None
