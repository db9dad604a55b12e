"""Headers: one JSON list of pairs, rewritten once so that every value's place is known.

Secret headers lose their value, but keep what says how they were used: the scheme of an Authorization, the
names of cookies and the attributes of a Set-Cookie. All other values are scanned like any text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import Field, marker_type, normal_name
from tachograph.processors.masking.named import NamedValues
from tachograph.processors.masking.views import Range

_SCHEME = re.compile(rb"\A([A-Za-z][A-Za-z0-9._-]{0,31})[ ]+(?=\S)")
_COOKIE = re.compile(rb"(?:\A|;)\s*(?:[^=;]*=\s*)?([^;]*)")
_HARMLESS = frozenset({b"", b"null"})


@dataclass(frozen=True, slots=True)
class HeaderContent:
    """The canonical JSON, the pieces to read as header lines, and the values that are secret by name."""

    data: bytes
    lines: tuple[Range | bytes, ...]
    fields: tuple[Field, ...]


def parse(data: bytes, named: NamedValues) -> HeaderContent:
    """Read a JSON list of [name, value] pairs; Withheld("invalid-headers") for anything else."""
    try:
        pairs = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Withheld("invalid-headers") from None
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise Withheld("invalid-headers")
    out = [b"["]
    lines: list[Range | bytes] = []
    fields: list[Field] = []
    position = 1
    for index, (name, value) in enumerate(pairs):
        raw_name, raw_value = orjson.dumps(name), orjson.dumps(value)
        out.append((b",[" if index else b"[") + raw_name + b"," + raw_value + b"]")
        name_at = position + (2 if index else 1)
        value_at = name_at + len(raw_name) + 1
        position = value_at + len(raw_value) + 1
        inner = (value_at + 1, value_at + len(raw_value) - 1)
        # A header that is secret by name is read without its colon: no rule for cookies or
        # credentials in text is to cover the cookie names and the scheme that stay.
        secret = named.is_header(name)
        colon = b" is " if secret else b": "
        lines += [(name_at + 1, name_at + len(raw_name) - 1), colon, inner, b"\n"]
        if secret:
            fields += _secret_parts(name, raw_value[1:-1], inner[0])
    out.append(b"]")
    return HeaderContent(b"".join(out), tuple(lines), tuple(fields))


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)


def _secret_parts(name: str, value: bytes, at: int) -> Iterator[Field]:
    """The secret stretches of a secret header's value, which begins at `at`."""
    plain = normal_name(name)
    if plain in ("cookie", "cookie2"):
        yield from _cookies(name, value, at, first_only=False)
    elif plain in ("set_cookie", "set_cookie2"):
        yield from _cookies(name, value, at, first_only=True)
    elif value.strip() not in _HARMLESS:
        scheme = _SCHEME.match(value) if "authorization" in plain else None
        start = scheme.end() if scheme else 0
        yield Field(name, marker_type(name), at + start, at + len(value))


def _cookies(name: str, value: bytes, at: int, *, first_only: bool) -> Iterator[Field]:
    # A cookie without a name is all value (RFC 6265bis 5.6).
    for match in _COOKIE.finditer(value):
        start, end = match.span(1)
        if value[start:end].strip():
            yield Field(name, "COOKIE", at + start, at + end)
        if first_only:
            return
