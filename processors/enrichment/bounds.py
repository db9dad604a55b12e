"""Every bound of an emitted document, by name, and the one way to keep a text within its bound.

Bounds count bytes of JSON, not characters: a masked record has to fit into Kafka's limit, and a control
character costs six bytes there. Nothing is cut in silence: a short text that was cut ends in `CUT`, a body
goes on in further documents, and an object names itself under `truncated`.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from tachograph.schemas.topics import MAX_RECORD_BYTES

__all__ = [
    "ARGUMENTS_BYTES",
    "ARGUMENTS_DEPTH",
    "ARGUMENTS_LEAF_BYTES",
    "ARGUMENTS_NODES",
    "BODY_BYTES",
    "CONTEXT_TEXT_BYTES",
    "CUT",
    "HEADERS_BYTES",
    "ID_BYTES",
    "LINE_BYTES",
    "MAX_IDS",
    "MAX_MESSAGES",
    "MAX_RULES",
    "RECORD_BYTES",
    "URL_BYTES",
    "clip",
    "fits",
    "slices",
]

BODY_BYTES = 1 << 20
"""A body's head; what follows lies in documents of their own."""
CONTEXT_TEXT_BYTES = 64 << 10
"""Prompt and response text of one turn, each."""
HEADERS_BYTES = 128 << 10
"""All header fields of one direction. The ingress takes 64 KiB; masks may be longer than what they hide."""
URL_BYTES = 32 << 10
ARGUMENTS_BYTES = 64 << 10
"""A tool's arguments as an object, and again as text."""
ARGUMENTS_DEPTH = 16
"""OpenSearch refuses objects nested too deep; ours lie three levels down."""
ARGUMENTS_NODES = 1_000
ARGUMENTS_LEAF_BYTES = 8 << 10
"""One text inside an arguments object: the index refuses terms over 32 KiB, path included."""
CUT = "\u2026[cut]"
MAX_IDS = 256
"""Tool calls or results that one document lists."""
ID_BYTES = 512
"""Names and ids that are searched exactly; the index ignores longer ones anyway."""
LINE_BYTES = 2 << 10
"""One-line texts: messages, details, model names."""
MAX_MESSAGES = 10_000
"""Messages that one request is taken apart into; a longer one keeps them in its body."""
MAX_RULES = 512
RECORD_BYTES = MAX_RECORD_BYTES - (64 << 10)
"""An event's JSON; the rest of Kafka's limit is for its key, headers and framing."""

_WORST_ESCAPE = 6
_LONGEST = 8
"""More than any one character takes."""


def clip(text: str, limit: int) -> str:
    """The text, or a head of it that ends in `CUT` and whose JSON takes at most `limit` bytes."""
    if len(text) * _WORST_ESCAPE <= limit:  # as `fits` asks first; asked here it saves a call for every text
        return text
    if limit < _LONGEST + len(CUT.encode()):
        return ""
    if fits(text, limit):
        return text
    return next(slices(text, limit - len(CUT.encode())), "") + CUT


def fits(text: str, limit: int) -> bool:
    """Whether the text's JSON takes at most `limit` bytes."""
    return len(text) * _WORST_ESCAPE <= limit or (len(text) <= limit and _json_bytes(text) <= limit)


def slices(text: str, limit: int) -> Iterator[str]:
    """Cut a text into slices of at most `limit` bytes of JSON each; together they are the text."""
    if limit < _LONGEST:
        raise ValueError(f"limit: expected at least {_LONGEST}, got {limit}")
    start = 0
    while start < len(text):
        take = min(limit, len(text) - start)
        while (size := _json_bytes(text[start : start + take])) > limit and take > 1:
            take = max(1, min(take - 1, take * limit // size))
        yield text[start : start + take]
        start += take


def _json_bytes(text: str) -> int:
    return len(orjson.dumps(text)) - 2
