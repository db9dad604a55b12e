"""Read a stream as its reader will: the pieces that belong together, in one text.

A model's answer arrives as hundreds of JSON events, each with a few letters of the same text; a secret is cut
anywhere. Every string member of an event is appended to the text of its channel: the member's name and the
block, choice or call indices of the event. That holds for Anthropic Messages, OpenAI chat and responses,
Gemini, MCP progress and for streams nobody has seen yet, as SSE (WHATWG HTML 9.2) or as one JSON document a
line.
"""

import re

from tachograph.processors.masking.content import media_type
from tachograph.processors.masking.views import JoinedView, Range

_PIECES = re.compile(
    rb'"((?:[^"\\\n]|\\.){0,64})"\s*:\s*(?:"([^"\\\n]*+(?:\\.[^"\\\n]*+)*+)"|(-?[0-9]{1,9})\b)?'  # a member
    rb'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'  # a string in a list
    rb"|\r?\n"
)
_DATA = re.compile(rb"^data:[ ]?(.*?)\r?$", re.MULTILINE)
_SSE_LINE = re.compile(rb"\A(?:\xef\xbb\xbf)?[\r\n]*(?:data|event|id|retry)?:", re.MULTILINE)
_INDEX = frozenset({b"index", b"output_index", b"content_index", b"summary_index", b"sequence", b"block"})
# Members that name and order things; they repeat in every event and say nothing together.
_NOT_TEXT = frozenset({
    b"type", b"id", b"object", b"model", b"role", b"event", b"item_id", b"response_id", b"call_id",
    b"jsonrpc", b"method", b"finish_reason", b"stop_reason", b"system_fingerprint", b"service_tier",
    b"status", b"obfuscation",
})  # fmt: skip
MAX_CHANNELS = 4096


def is_event_stream(content_type: str | None, text: bytes) -> bool:
    """By its content type, else by its first line."""
    return media_type(content_type) == "text/event-stream" or bool(_SSE_LINE.match(text[:4096]))


def is_lines(content_type: str | None, text: bytes) -> bool:
    """Whether this is one JSON document a line."""
    kind = media_type(content_type)
    if "ndjson" in kind or "jsonl" in kind or "json-seq" in kind or "jsonlines" in kind:
        return True
    first, _, rest = text.partition(b"\n")
    return first.rstrip().endswith(b"}") and first[:1] == b"{" and rest.lstrip()[:1] == b"{"


def joined(text: bytes) -> list[JoinedView]:
    """One view for each channel whose pieces are spread over several events, and one of plain data lines."""
    channels: dict[tuple[bytes, ...], list[Range]] = {}
    event: list[tuple[bytes, Range]] = []
    indices: list[bytes] = []
    for match in _PIECES.finditer(text):
        if match.group() in (b"\n", b"\r\n"):
            _file(channels, event, indices)
            event, indices = [], []
        elif match[2] is not None and match[1] not in _NOT_TEXT:
            event.append((match[1], match.span(2)))
        elif match[3] is not None and match[1] in _INDEX:
            indices.append(match[3])
    _file(channels, event, indices)
    views = [JoinedView(text, pieces) for pieces in channels.values() if len(pieces) > 1]
    plain = [m.span(1) for m in _DATA.finditer(text) if m[1][:1] not in (b"{", b"[") and m[1] != b"[DONE]"]
    if len(plain) > 1:
        views.append(JoinedView(text, plain))
    return views


def _file(
    channels: dict[tuple[bytes, ...], list[Range]], event: list[tuple[bytes, Range]], indices: list[bytes]
) -> None:
    for name, span in event:
        key = (name, *indices)
        if key not in channels and len(channels) >= MAX_CHANNELS:
            key = (b"",)
        if span[1] > span[0]:
            channels.setdefault(key, []).append(span)
