"""Values whose name is itself a value beside them: how lists of variables, headers and settings are written.

`{"name": "DB_PASSWORD", "value": "..."}` in either order (containers, secret stores, HTTP archives),
`["Cookie", "..."]` (lists of headers), and the same in YAML.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import re2

REACH = 4096
"""How far from its label a value may begin, and how long a tag may be."""

_LABEL = re2.compile(
    rb'"(?i:name|key|field|header|variable|parameter|property|setting|path|k|n)"\s*:\s*"([^"\\]{1,128})"'
)
_MEMBERS = rb'(?:\s*,\s*"[^"\\]{0,64}"\s*:\s*(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s",{}\[\]]{1,64}))'
_VALUE = rb'"(?i:value|val|default_?value|new_?value|to|v)"\s*:\s*'
_ANY_VALUE = re2.compile(rb'"(?i:value|val|default_?value|new_?value|to|v)"\s*:')
_AFTER = re.compile(_MEMBERS + rb"{0,8}?\s*,\s*" + _VALUE, re.DOTALL)
_BEFORE = re.compile(rb"[{,]\s*" + _VALUE)
_PAIR = re2.compile(
    rb'(?i)\[\s*"([a-z0-9_-]{0,32}(?:auth|cookie|key|token|secret|pass|cred|jwt|sig)[a-z0-9_-]{0,32})"\s*,'
    rb'\s*"[^"\\]*[=\s0-9][^"]*"\s*\]'
)
_SECOND = re.compile(rb'\[\s*"[^"\\]*"\s*,\s*')
_RAW = re2.compile(rb'"(?i:raw_?(?:headers|trailers)|header_?list)"\s*:\s*\[')
_RAW_ITEM = re.compile(rb'\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*,\s*(?="([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*,?)')
_YAML_VALUE = re2.compile(rb"[Vv](?:alue|ALUE):")
_YAML_LABEL = re2.compile(
    rb"(?im)(?:^|\")([ \t]*(?:- +)?)(name|key|variable"
    rb"|value):[ \t]*(\S[^\n]*?)[ \t]*\r?\n([ \t]*)(name|key|variable|value):[ \t]*(\S[^\n]*?)[ \t]*\r?$"
)


class Labelled(NamedTuple):
    """The value under a label: where it begins, and where it ends (-1: where JSON says)."""

    name: str
    start: int
    end: int = -1
    quote_at: int = -1


def find(text: bytes, is_key: Callable[[str], bool], is_header: Callable[[str], bool]) -> Iterator[Labelled]:
    """Every value whose label is a secret's name."""
    match: Any
    if _ANY_VALUE.search(text):
        for match in _LABEL.finditer(text):
            name = match.group(1).decode("utf-8", "replace").rpartition("/")[2]
            if is_key(name) or is_header(name):
                yield from _members(text, name, match.start(), match.end())
    if b"[" in text:
        for match in _PAIR.finditer(text):
            name = match.group(1).decode("utf-8", "replace")
            second = _SECOND.match(text, match.start())
            if second and (is_key(name) or is_header(name)):
                yield Labelled(name, second.end())
    for match in _RAW.finditer(text):
        yield from _raw(text, match.end(), is_header)
    if _YAML_VALUE.search(text):
        yield from _yaml(text, is_key)


def _raw(text: bytes, at: int, is_header: Callable[[str], bool]) -> Iterator[Labelled]:
    """Names and values by turns, as Node's `rawHeaders`."""
    while (item := _RAW_ITEM.match(text, at)) is not None:
        if is_header(item[1].decode("utf-8", "replace")):
            yield Labelled(item[1].decode("utf-8", "replace"), *item.span(2))
        at = item.end(2) + 1
        at += len(text[at : at + 64]) - len(text[at : at + 64].lstrip(b" \t\r\n,"))


def _yaml(text: bytes, is_key: Callable[[str], bool]) -> Iterator[Labelled]:
    """Two lines of one mapping in YAML, in either order."""
    at = 0
    match: Any
    while (match := _YAML_LABEL.search(text, at)) is not None:
        at = match.start(4)  # the second line may be another's first
        first, second = match.group(2).lower(), match.group(5).lower()
        if (first == b"value") == (second == b"value") or len(match.group(1)) != len(match.group(4)):
            continue
        label, value = (3, 6) if second == b"value" else (6, 3)
        name = match.group(label).strip(b"\"'").decode("utf-8", "replace")
        if is_key(name):
            start, end = match.span(value)
            quoted = text[start : start + 1] in (b'"', b"'") and end - start > 2
            yield Labelled(
                name, start + quoted, end - (quoted and text[end - 1 : end] == text[start : start + 1])
            )


def _members(text: bytes, name: str, start: int, end: int) -> Iterator[Labelled]:
    after = _AFTER.match(text, end, end + REACH)
    if after:
        yield Labelled(name, after.end(), quote_at=start)
        return
    opening = text.rfind(b"{", max(0, start - REACH), start)
    before = _BEFORE.search(text, opening, start) if opening >= 0 else None
    if before:
        yield Labelled(name, before.end(), quote_at=start)
