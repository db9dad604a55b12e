"""From a recorded exchange to the answer that is given again: head, body, and when each piece of it goes out.

The body is the masked one, decoded, so the fields that framed the original go. JSON-RPC answers carry the
asker's id and progress token, which differ in every run. What is known of the time is the first byte, each
piece of at most a second, and the end; an event of a stream goes out by its place between two of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from tachograph.forensics.replay.recorded import Exchange, Field, Piece, Response

__all__ = ["Answer", "Block", "Ending", "answer_of", "rpc_renamed"]

STREAM = "text/event-stream"
_FRAMING = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("content-length", "content-encoding", "content-md5", "digest", "content-digest", "repr-digest"),
        *("content-range", "accept-ranges", "etag"),
    }
)
"""Of the hop, or of bytes that are no longer the same."""
_EVENT = re.compile(r".*?(?:\r\n\r\n|\n\n|\r\r)|.+", re.DOTALL)
_CHARSET = re.compile(r';\s*charset="?[^";]*"?', re.IGNORECASE)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110, 5.5."""


class Ending(StrEnum):
    """How an answer stopped then, and so stops now."""

    WHOLE = "whole"
    BROKEN = "broken"
    """The target broke off in the middle."""
    LEFT = "left"
    """The agent left while it was still open: it stays open until it leaves again."""


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes, and how many microseconds after the request's end they go out."""

    data: bytes
    at: int

    def __repr__(self) -> str:
        return f"Block(<{len(self.data)} bytes>, at={self.at})"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `first_byte` is when its head goes out."""

    status: int
    headers: tuple[Field, ...]
    blocks: tuple[Block, ...]
    first_byte: int
    ending: Ending

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return sum(len(block.data) for block in self.blocks)


def answer_of(exchange: Exchange, asked: str) -> Answer:
    """The answer to `asked`, a body as it came now. The exchange must have one that is on record whole."""
    answer = exchange.response
    if answer is None or exchange.missing is not None:
        raise ValueError(f"exchange {exchange.id}: expected one whose answer is on record")
    stream = answer.header("content-type").partition(";")[0].strip().lower() == STREAM
    names = (
        _names(exchange.request.body.text, asked) if exchange.request.protocol == "mcp" else _Names({}, {})
    )
    texts = _events(answer, names) if stream else _whole(answer, names)
    blocks = tuple(Block(text.encode(), max(0, at - exchange.asked)) for text, at in texts)
    ending = Ending.WHOLE
    if not answer.body.complete:
        ending = Ending.LEFT if answer.error == "client-gone" else Ending.BROKEN
    first = max(0, answer.first_byte - exchange.asked)
    return Answer(answer.status, tuple(_headers(answer.headers)), blocks, first, ending)


@dataclass(frozen=True, slots=True)
class _Names:
    """What the recorded client called its requests, by what the asker calls them."""

    ids: Mapping[str, Any]
    tokens: Mapping[str, Any]


def rpc_renamed(text: str, recorded: str, asked: str) -> str:
    """A JSON-RPC answer with the ids and progress tokens of the asker in place of the recorded client's."""
    return _renamed(text, _names(recorded, asked))


def _names(recorded: str, asked: str) -> _Names:
    ids: dict[str, Any] = {}
    tokens: dict[str, Any] = {}
    for was, now in zip(_calls(recorded), _calls(asked), strict=False):
        if "id" in was and "id" in now:
            ids[_key(was["id"])] = now["id"]
        if (token := _token(was)) is not None and (new := _token(now)) is not None:
            tokens[_key(token)] = new
    return _Names(ids, tokens)


def _calls(text: str) -> list[dict[str, Any]]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict) and "method" in item]


def _token(call: Mapping[str, Any]) -> Any:
    params = call.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta.get("progressToken") if isinstance(meta, dict) else None


def _key(value: Any) -> str:
    """An id as text, in which 1 and "1" are two."""
    return orjson.dumps(value).decode()


def _renamed(text: str, names: _Names) -> str:
    if not names.ids and not names.tokens:
        return text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    items = value if isinstance(value, list) else [value]
    changed = [_message(item, names) for item in items]
    if changed == items:
        return text
    return orjson.dumps(changed if isinstance(value, list) else changed[0]).decode()


def _message(message: Any, names: _Names) -> Any:
    if not isinstance(message, dict):
        return message
    if message.keys() & {"result", "error"} and "method" not in message:
        name = _key(message.get("id"))
        return message | {"id": names.ids[name]} if name in names.ids else message
    params = message.get("params")
    if message.get("method") != "notifications/progress" or not isinstance(params, dict):
        return message
    token = _key(params.get("progressToken"))
    return (
        message | {"params": params | {"progressToken": names.tokens[token]}}
        if token in names.tokens
        else message
    )


def _whole(answer: Response, names: _Names) -> Iterator[tuple[str, int]]:
    renamed = _renamed(answer.body.text, names)
    if renamed != answer.body.text:
        yield renamed, answer.end
        return
    yield from ((piece.text, piece.at) for piece in answer.pieces)


def _events(answer: Response, names: _Names) -> Iterator[tuple[str, int]]:
    clock = _Clock(answer.pieces, answer.first_byte)
    place = 0
    for found in _EVENT.finditer(answer.body.text):
        place += len(found[0])
        yield _event(found[0], names), clock.at(place)


def _event(text: str, names: _Names) -> str:
    """One event, its data renamed where it is JSON-RPC in one line, as servers write it."""
    if not names.ids and not names.tokens:
        return text
    lines = re.split(r"(\r\n|\n|\r)", text)
    return "".join(
        f"data: {_renamed(line.removeprefix('data:').strip(), names)}" if line.startswith("data:") else line
        for line in lines
    )


class _Clock:
    """When the body had come up to a place: between two known times by the place alone."""

    def __init__(self, pieces: Sequence[Piece], first_byte: int) -> None:
        self._steps: list[tuple[int, int, int, int]] = []
        start, begun = 0, first_byte
        for piece in pieces:
            at = max(piece.at, begun)
            self._steps.append((start, start + len(piece.text), begun, at))
            start, begun = start + len(piece.text), at

    def at(self, place: int) -> int:
        """Microseconds for a place in characters."""
        for start, end, begun, at in self._steps:
            if place <= end:
                return begun + (at - begun) * (place - start) // max(1, end - start)
        return self._steps[-1][3] if self._steps else 0


def _headers(headers: Sequence[Field]) -> Iterator[Field]:
    for name, value in headers:
        if name.lower() in _FRAMING or not _VALUE.fullmatch(value):
            continue
        # Whatever it was, it is UTF-8 now.
        charset = name.lower() == "content-type" and _CHARSET.search(value)
        yield name, _CHARSET.sub("; charset=utf-8", value) if charset else value
