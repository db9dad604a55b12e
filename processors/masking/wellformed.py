"""Whether a text is JSON (RFC 8259), in bounded memory: a value that is built takes 20 times its text.

Small documents go to orjson, which is faster. One with so many values that it would fill the memory is read
here, piece by piece: runs of flat members or items are one match each, and only brackets are remembered.
"""

import re

import orjson

from tachograph.processors.masking.limits import Deadline

TREE_BYTES = 24 * 1024 * 1024
"""The largest value that is built, as estimated from the text's marks."""
MAX_DEPTH = 1024
"""As orjson's: a deeper document is not read as JSON by anyone."""
_PER_ITEM, _PER_MEMBER = 64, 130
"""Bytes that orjson's value takes for each comma or bracket, and for each colon."""
_CHECK_EVERY = 4096

_WS = rb"[ \t\r\n]*+"
_STRING = (
    rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u(?:[0-9a-cefA-CEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}'
    rb'|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))[^"\\\x00-\x1f]*+)*+"'
)
_SCALAR = rb"(?:" + _STRING + rb"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null)"
_KEY = _STRING + _WS + rb":" + _WS
_MEMBERS = re.compile(rb"(?:" + _KEY + _SCALAR + _WS + rb"," + _WS + rb"){0,10000}+")
_ITEMS = re.compile(rb"(?:" + _SCALAR + _WS + rb"," + _WS + rb"){0,10000}+")
_NAME = re.compile(_KEY)
_VALUE = re.compile(_SCALAR + _WS)
_SPACE = re.compile(_WS)
_OPEN, _CLOSE = b"{[", {0x7B: b"}", 0x5B: b"]"}


def is_json(data: bytes, deadline: Deadline | None = None) -> bool:
    """Whether a JSON reader takes this; raises Withheld("timeout") once the deadline is over."""
    if _tree_bytes(data) > TREE_BYTES:
        return _is_large_json(data, deadline)
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _tree_bytes(data: bytes) -> int:
    """What the value would take at most, strings aside: marks inside strings count too."""
    if len(data) * _PER_MEMBER // 2 <= TREE_BYTES:
        return 0
    items = data.count(b",") + data.count(b"{") + data.count(b"[")
    return items * _PER_ITEM + data.count(b":") * _PER_MEMBER


def _is_large_json(data: bytes, deadline: Deadline | None) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    open_ = bytearray()
    at, steps = _after(_SPACE, data, 0), 0
    while at >= 0:
        steps += 1
        if deadline and steps % _CHECK_EVERY == 0:
            deadline.check()
        at = _value(data, at, open_)
        if at < 0 or len(open_) > MAX_DEPTH:
            return False
        if not open_:
            return at == len(data)
    return False


def _after(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Where the pattern's match at this place ends, -1 if there is none."""
    match = pattern.match(data, at)
    return match.end() if match else -1


def _value(data: bytes, at: int, open_: bytearray) -> int:
    """Read on to the next value's beginning, or behind the last; -1 where the text is no JSON."""
    if data[at : at + 1] and data[at] in _OPEN:
        open_.append(data[at])
        at = _after(_SPACE, data, at + 1)
        if data[at : at + 1] != _CLOSE[open_[-1]]:
            return _next(data, at, open_)
    else:
        at = _after(_VALUE, data, at)
    while at >= 0 and open_:
        mark = data[at : at + 1]
        if mark == b",":
            return _next(data, _after(_SPACE, data, at + 1), open_)
        if mark != _CLOSE[open_[-1]]:
            return -1
        open_.pop()
        at = _after(_SPACE, data, at + 1)
    return at


def _next(data: bytes, at: int, open_: bytearray) -> int:
    """Pass over flat members or items; where the next value begins, behind its name."""
    if open_[-1] == 0x7B:
        return _after(_NAME, data, _after(_MEMBERS, data, at))
    return _after(_ITEMS, data, at)
