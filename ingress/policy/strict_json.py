"""Bodies that are judged, as JSON with one reading, or `Unclear`: a policy must see what the target obeys."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tachograph.identity import strict_json
from tachograph.ingress.policy.errors import Unclear

__all__ = ["MAX_DEPTH", "Json", "keys_as_read", "parse"]

MAX_DEPTH = 128

Json = dict[str, Any]


def parse(body: bytes) -> Any:
    """The value of a whole body in UTF-8. Raises `Unclear`, which repeats nothing of it."""
    try:
        return strict_json.parse(body, depth=MAX_DEPTH)
    except strict_json.Ambiguous as error:
        raise Unclear(str(error)) from None


def keys_as_read(value: Json, names: Collection[str]) -> None:
    """Refuse keys that are one of `names` but for their case: Go's parser takes them for the same."""
    for key in value:
        if key not in names and key.casefold() in names:
            raise Unclear("expected keys in their own case, got one that only some parsers take for it")
