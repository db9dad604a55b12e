"""A tool call as a model made it, read without doubt or marked as doubtful; and how values are looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tachograph.ingress.llm.errors import Unreadable
from tachograph.ingress.llm.sse import Json
from tachograph.ingress.policy.errors import Unclear
from tachograph.ingress.policy.strict_json import keys_as_read

__all__ = ["ToolCall", "at", "joined", "known", "objects", "record", "text"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model wants done. Its repr shows no arguments."""

    id: str
    """The call's own, which changes with every answer."""
    name: str
    arguments: bytes = field(repr=False)
    """JSON text, as the model wrote it."""
    model: str | None = None
    """Which model answered, as the answer says."""
    problem: str | None = None
    """Why it cannot be read without doubt; then it is never released."""


def joined(pieces: list[str], whole: Any) -> tuple[bytes, str | None]:
    """Arguments from the pieces that were streamed and from what stands in the block; and a doubt, if any."""
    streamed = "".join(pieces)
    if not streamed.strip():
        return orjson.dumps(whole if whole is not None else {}), None
    doubt = "expected arguments in one place, got two" if whole else None
    return streamed.encode("utf-8", "surrogatepass"), doubt


def known(value: Mapping[str, Any], names: Collection[str]) -> None:
    """Refuse keys that some readers take for one of `names`. Raises `Unreadable`."""
    try:
        keys_as_read(dict(value), names)
    except Unclear as error:
        raise Unreadable(str(error)) from None


def record(value: Json, key: str) -> Json:
    """The object at `key`, empty where there is none or null. Raises `Unreadable` for anything else."""
    found = value.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unreadable(f"expected `{key}` to be an object")
    return found


def objects(value: Json, key: str) -> Iterator[Json]:
    """The objects of the list at `key`. Raises `Unreadable` for anything else than objects in a list."""
    found = value.get(key)
    if found is None:
        return
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Unreadable(f"expected `{key}` to be a list of objects")
    yield from found


def text(value: Json, key: str) -> str:
    """The text at `key`, empty where there is none or null. Raises `Unreadable` for anything else."""
    found = value.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Unreadable(f"expected `{key}` to be text")
    return found


def at(value: Json, key: str) -> int:
    """The place at `key`. Raises `Unreadable` where there is none."""
    found = value.get(key)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 1 << 16:
        raise Unreadable(f"expected `{key}` to be a place")
    return found
