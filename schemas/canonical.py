"""One byte form for one value: RFC 8785 over the subset of JSON that our own headers use.

Keys are ASCII, there are no floats and integers stay below 2^53, so sorted keys without white space
*are* RFC 8785. Payload bytes are never canonicalised; they are committed to as bytes.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

__all__ = ["canonical_json", "sha256_hex"]


def canonical_json(value: dict[str, Any]) -> bytes:
    """The RFC 8785 bytes of a header-like mapping (ASCII keys, no floats, integers below 2^53)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()
