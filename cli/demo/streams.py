"""Put streamed text together again, as any reader of the record would: deltas of one block, end to end.

A deliberately simple reader of its own: what proves the masker must not share the masker's parser.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

__all__ = ["joined_deltas"]

_FIELDS = ("text", "partial_json", "thinking", "arguments", "content")


def joined_deltas(body: str) -> Iterator[str]:
    """For each block and field of a server-sent stream, its pieces as one text; nothing for other bodies."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in body.splitlines():
        if not line.startswith("data:"):
            continue
        try:
            event = json.loads(line.removeprefix("data:"))
        except ValueError:
            continue
        if isinstance(event, dict):
            for field, text in _pieces(event):
                found[str(event.get("index", "")), field].append(text)
    return ("".join(texts) for texts in found.values())


def _pieces(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    delta = event.get("delta")
    if not isinstance(delta, dict):
        return
    for field in _FIELDS:
        if isinstance(delta.get(field), str):
            yield field, delta[field]
