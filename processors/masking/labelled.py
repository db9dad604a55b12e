"""Values whose name is itself a value beside them: how lists of variables, headers and settings are written.

`{"name": "DB_PASSWORD", "value": "..."}` in either order (containers, secret stores, HTTP archives),
`["Cookie", "..."]` (lists of headers), `<input name="password" value="...">` and its like in XML settings.

Not so the hidden input in which a page carries its anti-forgery token: without the session's cookie, which is
masked, nobody can use it. Sent back, in a form or a header, it goes by the field rules as any other token.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import re2

REACH = 4096
"""How far from its label a value may begin, and how long a tag may be."""

_LABEL = re2.compile(
    rb'"(?i:name|key|field|header|variable|parameter|property|setting)"\s*:\s*"([^"\\]{1,128})"'
)
_MEMBERS = rb'(?:\s*,\s*"[^"\\]{0,64}"\s*:\s*(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s",{}\[\]]{1,64}))'
_VALUE = rb'"(?i:value|val|default_?value)"\s*:\s*'
_ANY_VALUE = re2.compile(rb'"(?i:value|val|default_?value)"\s*:')
_AFTER = re.compile(_MEMBERS + rb"{0,8}?\s*,\s*" + _VALUE, re.DOTALL)
_BEFORE = re.compile(rb"[{,]\s*" + _VALUE)
_PAIR = re2.compile(
    rb'(?i)\[\s*"([a-z0-9_-]{0,32}(?:auth|cookie|key|token|secret|pass|cred|jwt|sig)[a-z0-9_-]{0,32})"\s*,'
    rb'\s*"[^"\\]*[=\s0-9][^"]*"\s*\]'
)
_SECOND = re.compile(rb'\[\s*"[^"\\]*"\s*,\s*')
_TAG = re2.compile(
    rb"(?i)<(?:input|param|parameter|property|add|entry|field|setting|option|meta|env|variable)\s[^<>]*>"
)
_HIDDEN = re.compile(rb"(?i)<input\s[^<>]*\btype\s*=\s*[\"']?hidden\b")
_ANTI_FORGERY = re.compile(
    r"(?i)authenticity_token|_?(?:csrf|xsrf)[_-]?(?:token)?|csrfmiddlewaretoken|__requestverificationtoken"
)
_TAG_NAME = re.compile(rb"(?i)\s(?:name|key|id)\s*=\s*[\"']?([\w.:\[\]-]{1,128})")
_TAG_VALUE = re.compile(rb"(?i)\svalue\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")


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
            name = match.group(1).decode("utf-8", "replace")
            if is_key(name) or is_header(name):
                yield from _members(text, name, match.start(), match.end())
    if b"[" in text:
        for match in _PAIR.finditer(text):
            name = match.group(1).decode("utf-8", "replace")
            second = _SECOND.match(text, match.start())
            if second and (is_key(name) or is_header(name)):
                yield Labelled(name, second.end())
    if b"<" in text and b"alue" in text.lower():
        yield from _tags(text, is_key)


def _members(text: bytes, name: str, start: int, end: int) -> Iterator[Labelled]:
    after = _AFTER.match(text, end, end + REACH)
    if after:
        yield Labelled(name, after.end(), quote_at=start)
        return
    opening = text.rfind(b"{", max(0, start - REACH), start)
    before = _BEFORE.search(text, opening, start) if opening >= 0 else None
    if before:
        yield Labelled(name, before.end(), quote_at=start)


def _tags(text: bytes, is_key: Callable[[str], bool]) -> Iterator[Labelled]:
    match: Any
    for match in _TAG.finditer(text):
        low, high = match.start(), min(match.end(), match.start() + REACH)
        name, value = _TAG_NAME.search(text, low, high), _TAG_VALUE.search(text, low, high)
        label = name[1].decode("utf-8", "replace") if name else ""
        if not label or not value or not is_key(label):
            continue
        if _ANTI_FORGERY.fullmatch(label) and _HIDDEN.match(text, low, high):
            continue
        number = value.lastindex or 0
        if value[number]:
            yield Labelled(label, *value.span(number))
