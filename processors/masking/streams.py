"""Read a stream as its reader will: the pieces that belong together, in one text.

A model's answer arrives as hundreds of JSON events, each with a few letters of the same text; a secret is cut
anywhere. Every string member of an event is appended to the text of its channel: the member's name and the
block, choice or call indices of the event; where an event speaks of several at once, the indices of the
objects around the member. That holds for Anthropic Messages, OpenAI chat and responses, Gemini, MCP progress
and for streams nobody has seen yet, as SSE (WHATWG HTML 9.2) or as one JSON document a line.
"""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from tachograph.processors.masking.content import media_type
from tachograph.processors.masking.views import JoinedView, Range

_PIECES = re.compile(
    rb'"((?:[^"\\\n]|\\.){0,64})"\s*:\s*(?:"([^"\\\n]*+(?:\\.[^"\\\n]*+)*+)"|(-?[0-9]{1,9})\b)?'  # a member
    rb'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'  # a string in a list
    rb"|\r?\n"
)
_TOKEN = re.compile(_PIECES.pattern + rb"|[{}]")
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
MAX_SCOPES = 32
"""Objects in one another that are told apart in an event; what lies deeper belongs to the last of them."""
MAX_INDICES = 8
"""Indices of one object that count."""
_Key = tuple[bytes, ...]
_Text = tuple[_Key, Range]
_Channels = dict[_Key, "array[int]"]
"""Where each piece of a channel begins and ends, one number after the other: there may be a million."""


@dataclass(slots=True)
class _Scope:
    """An event, or an object in it: its own indices and id, and the texts in it under the keys within."""

    indices: list[tuple[bytes, bytes]] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    texts: list[_Text] = field(default_factory=list)

    def take(self, match: re.Match[bytes]) -> None:
        name = match[1]
        if match[2] is not None and name not in _NOT_TEXT:
            self.texts.append(((name,), match.span(2)))
        elif match[3] is not None and name in _INDEX:
            if len(self.indices) < MAX_INDICES:
                self.indices.append((name, match[3]))
        elif match[2] is not None and name == b"item_id":
            self.ids.append(match[2])

    @property
    def ambiguous(self) -> bool:
        if len(self.texts) < 2:
            return False
        return len({name for name, _ in self.indices}) < len(self.indices)

    def keyed(self) -> list[_Text]:
        """Its texts, under their names and its indices; some gateways give every event another id, so that an
        id counts only where nothing is numbered.
        """
        own = tuple(value for _, value in self.indices) or tuple(self.ids)
        return [((key[0], *own, *key[1:]), span) for key, span in self.texts] if own else self.texts


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
    channels: _Channels = {}
    event, start = _Scope(), 0
    for match in _PIECES.finditer(text):
        if match[0] in (b"\n", b"\r\n"):
            _file(channels, event, text, (start, match.start()))
            event, start = _Scope(), match.end()
        else:
            event.take(match)
    _file(channels, event, text, (start, len(text)))
    plain = array("I")
    for m in _DATA.finditer(text):
        if m[1][:1] not in (b"{", b"[") and m[1] != b"[DONE]":
            plain.extend(m.span(1))
    several = [pieces for pieces in (*channels.values(), plain) if len(pieces) > 2]
    return [JoinedView(text, _ranges(pieces)) for pieces in several]


def _ranges(flat: "array[int]") -> Iterator[Range]:
    return zip(flat[::2], flat[1::2], strict=True)


def _file(channels: _Channels, event: _Scope, text: bytes, line: Range) -> None:
    for key, span in _scoped(text, line) if event.ambiguous else event.keyed():
        known = key in channels or len(channels) < MAX_CHANNELS
        if span[1] > span[0]:
            channels.setdefault(key if known else (b"",), array("I")).extend(span)


def _scoped(text: bytes, line: Range) -> list[_Text]:
    """The texts of an event that numbers several things, each under the indices of the objects around it."""
    open_: list[_Scope] = [_Scope()]
    deeper = 0
    for match in _TOKEN.finditer(text, *line):
        if match[0] == b"{":
            if len(open_) < MAX_SCOPES:
                open_.append(_Scope())
            else:
                deeper += 1
        elif match[0] != b"}":
            open_[-1].take(match)
        elif deeper:
            deeper -= 1
        elif len(open_) > 1:
            texts = open_.pop().keyed()
            open_[-1].texts += texts
    while len(open_) > 1:  # an event that was cut off
        texts = open_.pop().keyed()
        open_[-1].texts += texts
    return open_[0].keyed()
