"""Kubernetes secrets, whose keys may be called anything: `kind: Secret` makes all of `data` and
`stringData` secret.

In YAML, one of several documents or an item of a list, and in JSON.
"""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import re2

from tachograph.processors.masking.fields import Field
from tachograph.processors.masking.validators import is_hollow

_SECRET = re2.compile(rb"kind[\"']?\s*:\s*[\"']?(?:Sealed)?Secret")
_KIND_YAML = re2.compile(rb"(?m)(?:^|\")([ \t]*(?:- )?)kind:[ \t]*[\"']?(?:Sealed)?Secret[\"']?[ \t]*\r?$")
_KIND_JSON = re2.compile(rb'"kind"\s*:\s*"(?:Sealed)?Secret"')
_DATA_YAML = re.compile(
    rb"(?m)^([ \t]*(?:- )?)(?:data|stringData|binaryData|encryptedData):[ \t]*(?:#[^\n]*)?\r?\n"
)
_MEMBER_YAML = re.compile(rb"[ \t]*[\"']?[\w.$/-]{1,253}[\"']?[ \t]*:[ \t]*(?:[|>][-+0-9]*[ \t]*)?[\"']?")
_TOKEN = re.compile(
    rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"(\s*:)?|([-+]?[0-9][0-9.eE+-]*|true\b|false\b)|[\[\]{}]', re.DOTALL
)
_DATA_JSON = frozenset({b"data", b"stringData", b"binaryData", b"encryptedData"})
MAX_DEPTH = 1000


def find(text: bytes) -> Iterator[Field]:
    """Every value of a secret's data."""
    if not _SECRET.search(text):
        return
    start = end = 0
    seen: set[int] = set()  # indents of the document
    for match in _KIND_YAML.finditer(text):
        indent = len(match.group(1))
        if match.start() >= end:
            start, end = _document(text, match.start())
            seen.clear()
        if indent in seen:
            continue
        seen.add(indent)
        for data in _DATA_YAML.finditer(text, start, end):
            if len(data[1]) == indent:
                yield from _values(text, data.end(), end, indent)
    if _KIND_JSON.search(text):
        yield from _json(text)


def _document(text: bytes, at: int) -> tuple[int, int]:
    """The YAML document around a place."""
    start = max(text.rfind(b"\n---", 0, at) + 1, 0)
    end = text.find(b"\n---", at)
    return start, len(text) if end < 0 else end


def _values(text: bytes, at: int, stop: int, indent: int) -> Iterator[Field]:
    """The values of the lines that are indented deeper, block scalars line by line."""
    inner = -1
    while at < stop:
        end = text.find(b"\n", at, stop)
        end = stop if end < 0 else end
        line = text[at:end]
        depth = len(line) - len(line.lstrip(b" \t"))
        if line.strip():
            if depth <= indent:
                return
            inner = depth if inner < 0 else inner
            key = _MEMBER_YAML.match(line) if depth == inner else None
            low = at + (key.end() if key else depth)
            value = text[low:end].rstrip(b" \t\r\"'")
            if value and not is_hollow(value):
                yield Field("secret", "SECRET", low, low + len(value))
        at = end + 1


def _json(text: bytes) -> Iterator[Field]:
    """The same in JSON: in the text as a document, and in those that were strings of it, a layer up."""
    yield from _walk(text, 0)
    done = 0
    for match in _KIND_JSON.finditer(text):
        quote = text.rfind(b'"{', done, match.start())
        if match.start() >= done and quote >= 0:
            done = yield from _walk(text, quote + 1)


def _walk(text: bytes, start: int) -> Generator[Field, None, int]:
    """The strings and numbers under `data` of the objects whose kind is Secret, whichever comes first, and
    where the document ends that begins at `start`.
    """
    open_: list[_Open] = []
    key = b""
    for token in _TOKEN.finditer(text, start):
        mark = token[0]
        if mark in (b"{", b"["):
            if len(open_) > MAX_DEPTH:
                return token.end()
            within = bool(open_) and (open_[-1].within or key in _DATA_JSON)
            open_.append(_Open(within, open_[-1].found if within else []))
        elif mark in (b"}", b"]"):
            closed = open_.pop() if open_ else _Open(within=True, found=[])
            if closed.secret and not closed.within:
                yield from closed.found
            if start and not open_:
                return token.end()
        elif token[2] is not None:
            key = token[1]
            continue
        elif open_:
            open_[-1].secret |= key == b"kind" and token[1] in (b"Secret", b"SealedSecret")
            if open_[-1].within and not is_hollow(token[1] or token[3]):
                open_[-1].found.append(_field(text, token))
        key = b""
    return len(text)


@dataclass(slots=True)
class _Open:
    """An open object or list: whether it lies in a data member, what was found in its object's data."""

    within: bool
    found: list[Field]
    secret: bool = False


def _field(text: bytes, token: re.Match[bytes]) -> Field:
    if token[1] is not None:
        return Field("secret", "SECRET", *token.span(1))
    return Field("secret", "SECRET", *token.span(3), max(0, text.rfind(b'"', 0, token.start())))
