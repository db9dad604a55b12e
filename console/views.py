"""What is shown of masked documents; pure. All of it is text that the templates escape.

What an agent wrote could be made to look like something else: characters that cannot be seen, or that turn
the direction of writing, are shown by their number.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

__all__ = [
    "MAX_SHOWN",
    "Event",
    "RequestView",
    "event_view",
    "request_view",
    "span",
    "visible",
]

MAX_SHOWN = 200_000
"""Characters of one text; what is longer is cut, and the page says so."""
MAX_LINE = 200
MAX_WHOLE = 2**53 - 1
"""A larger whole number is rounded by some readers (RFC 7493, 2.2)."""
MAX_DIGITS = 17
"""With its sign; a longer one is not even read."""
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
_ARROWS = {"request": "asked", "response": "answered", "decision": "decided"}


def visible(text: str) -> str:
    """`text` with every character that steers or hides the others written as its number."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in _HIDDEN else f"⟨U+{ord(char):04X}⟩"
        for char in text
    )


def span(millis: int) -> str:
    """A length of time as people say it."""
    seconds = max(0, millis) // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


@dataclass(frozen=True, slots=True)
class RequestView:
    """A masked request for a person to read. `notes` say what of it is not here."""

    method: str
    target: str
    tool: str
    rpc_method: str
    model: str
    headers: tuple[tuple[str, str], ...]
    arguments: str
    prompt: str
    body: str
    notes: tuple[str, ...]
    masked: int


def request_view(source: Mapping[str, Any], parts: Iterable[Mapping[str, Any]] = ()) -> RequestView:
    """From the stored document of a request, and what follows its body's head."""
    tacho = _map(_map(source, "unmapped"), "tacho")
    request = _map(source, "http_request")
    body = "".join([_text(tacho, "body"), *(_text(_tacho(part), "body") for part in parts)])
    headers = request.get("http_headers") or ()
    return RequestView(
        method=_text(tacho, "method") or _text(request, "http_method"),
        target=_text(_map(request, "url"), "url_string") or _text(_map(request, "url"), "path"),
        tool=_text(tacho, "tool"),
        rpc_method=_text(tacho, "rpc_method"),
        model=_text(_map(source, "ai_model"), "name"),
        headers=tuple((_text(each, "name"), _text(each, "value")) for each in headers),
        arguments=_pretty(tacho.get("arguments")) or _cut(_text(tacho, "arguments_text")),
        prompt=_cut(_text(_map(source, "message_context"), "prompt_text")),
        body=_readable(body),
        notes=tuple(_notes(tacho, body)),
        masked=int(_map(tacho, "masked").get("total") or 0),
    )


def _notes(tacho: Mapping[str, Any], body: str) -> Iterable[str]:
    if withheld := _text(tacho, "withheld"):
        yield f"The body is withheld by the masker ({withheld}): you cannot see what it says."
    if tacho.get("truncated"):
        names = ", ".join(str(name) for name in tacho["truncated"])
        yield f"Not all of it is in this document: {names} is cut there."
    if tacho.get("incomplete"):
        yield "The request was cut off on its way."
    if _ambiguous(body):
        yield "The body says a name twice, or a number that is not read alike everywhere: shown as it came."
    if len(body) > MAX_SHOWN:
        yield f"The body is longer than what is shown: the first {MAX_SHOWN} characters."


@dataclass(frozen=True, slots=True)
class Event:
    """One earlier event of the session, in a line."""

    time: str
    kind: str
    what: str
    outcome: str
    text: str


def event_view(source: Mapping[str, Any]) -> Event:
    """One line about a stored document."""
    tacho = _tacho(source)
    kind = _text(tacho, "type")
    request = _map(source, "http_request")
    what = (
        f"{_text(tacho, 'rpc_method')} {_text(tacho, 'tool')}".strip()
        or _text(_map(source, "ai_model"), "name")
        or f"{_text(tacho, 'method') or _text(request, 'http_method')} {_text(_map(request, 'url'), 'path')}"
    )
    code = _map(source, "http_response").get("code")
    verdict = _text(tacho, "decision") or _text(_map(tacho, "policy"), "effect")
    context = _map(source, "message_context")
    said = _text(context, "response_text") or _text(context, "prompt_text") or _text(tacho, "arguments_text")
    return Event(
        time=_text(tacho, "ts")[11:19],
        kind=_ARROWS.get(kind, kind),
        what=what.strip(),
        outcome=str(code) if code is not None else verdict,
        text=_line(said or _text(tacho, "body") or _text(tacho, "reason")),
    )


# -- small things --------------------------------------------------------------------------------------


def _tacho(source: Mapping[str, Any]) -> Mapping[str, Any]:
    return _map(_map(source, "unmapped"), "tacho")


def _map(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _pretty(value: object) -> str:
    if not value:
        return ""
    return _cut(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _readable(body: str) -> str:
    """JSON on lines of its own; anything else as it is, JSON too that two servers may read differently."""
    if _looks_like_json(body):
        try:
            return _pretty(_one_reading(body)) or body
        except (ValueError, RecursionError):
            pass
    return _cut(body)


def _looks_like_json(body: str) -> bool:
    return body[:1] in {"{", "["} and len(body) <= MAX_SHOWN


def _ambiguous(body: str) -> bool:
    """Whether it is JSON, and yet must be shown as it came."""
    if not _looks_like_json(body):
        return False
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    try:
        _one_reading(body)
    except (ValueError, RecursionError):
        return True
    return False


def _one_reading(body: str) -> Any:
    """The value, if no name stands twice and every number is shown as what it is."""
    return json.loads(
        body, object_pairs_hook=_once, parse_int=_whole, parse_float=_exact, parse_constant=_whole
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _whole(text: str) -> int:
    value = int(text) if len(text) <= MAX_DIGITS else 0
    if str(value) != text or abs(value) > MAX_WHOLE:
        raise ValueError("a number that is not written so again")
    return value


def _exact(text: str) -> float:
    value = float(text)
    if Decimal(repr(value)) != Decimal(text):
        raise ValueError("a number that a float does not hold")
    return value


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_LINE else f"{flat[: MAX_LINE - 1]}…"
