"""A document that OpenSearch refused: in its place lies a stub, which says so and is nobody's proof."""

from __future__ import annotations

import orjson

__all__ = ["says_stub"]


def says_stub(document: bytes) -> bool:
    """Whether a stored document says that it is a stub. Anybody could have it say so."""
    if b'"stub":{' not in document:
        return False
    try:
        return isinstance(orjson.loads(document)["unmapped"]["tacho"]["stub"], dict)
    except (ValueError, KeyError, TypeError):
        return False
