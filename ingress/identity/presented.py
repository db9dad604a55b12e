"""Where an agent may present its gateway credential, and how that is taken out again. No I/O.

In this order: `x-tacho-key`, `proxy-authorization`, `authorization` (Bearer, or Basic with the credential as
password), `x-api-key`, `api-key`. Agents that can set one variable only must find a place among them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tachograph.schemas.payload import HeaderField

__all__ = ["PLACEHOLDER", "PLACES", "Presented", "presented", "redacted", "without"]

PLACEHOLDER = "[gateway-credential]"
PLACES = ("x-tacho-key", "proxy-authorization", "authorization", "x-api-key", "api-key")
OURS = frozenset({"x-tacho-key", "proxy-authorization"})
"""Never for the target, whatever they hold."""
MAX_CREDENTIAL = 16 * 1024


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential that stands in one of the places. `repr` does not show it."""

    place: str
    text: str

    def __repr__(self) -> str:
        return f"Presented(place={self.place!r})"


def presented(headers: Sequence[HeaderField]) -> list[Presented]:
    """Every credential in the places looked at, in their order."""
    found = [
        Presented(low, text)
        for name, value in headers
        if (low := name.lower()) in PLACES and 0 < len(value) <= MAX_CREDENTIAL
        for text in _texts(low, value.strip())
        if text
    ]
    return sorted(found, key=lambda item: PLACES.index(item.place))


def without(headers: Sequence[HeaderField], text: str) -> tuple[HeaderField, ...]:
    """The headers for the target: none that carries the credential, none that is only for us."""
    return tuple(field for field in headers if field[0].lower() not in OURS and not _carries(field, text))


def redacted(headers: Sequence[HeaderField], text: str) -> tuple[HeaderField, ...]:
    """The headers for the record: where the credential stood, its place and scheme are still to be seen."""
    return tuple(
        (field[0], _replaced(field, text)) if _carries(field, text) or field[0].lower() in OURS else field
        for field in headers
    )


def withheld(headers: Sequence[HeaderField]) -> tuple[HeaderField, ...]:
    """The headers of a request whose sender is unknown: whatever stands in the places is a credential."""
    return tuple(
        (name, _scheme(value) + PLACEHOLDER) if name.lower() in PLACES else (name, value)
        for name, value in headers
    )


def _texts(place: str, value: str) -> Iterator[str]:
    if not place.endswith("authorization"):
        yield value
        return
    scheme, _, rest = value.partition(" ")
    match scheme.lower():
        case "bearer":
            yield rest.strip()
        case "basic":
            yield _password(rest.strip())


def _password(value: str) -> str:
    """RFC 7617, 2: base64 of user-id ":" password; the user-id holds no colon."""
    try:
        text = base64.b64decode(value, validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[2]


def _carries(field: HeaderField, text: str) -> bool:
    # Wherever it stands, in clear or as a Basic password: a misplaced credential is one all the same.
    value = field[1]
    if text in value:
        return True
    return value.lstrip()[:5].lower() == "basic" and text in _texts("authorization", value.strip())


def _replaced(field: HeaderField, text: str) -> str:
    value = field[1]
    if field[0].lower() not in PLACES and text in value:
        return value.replace(text, PLACEHOLDER)
    return _scheme(value) + PLACEHOLDER


def _scheme(value: str) -> str:
    scheme, _, rest = value.strip().partition(" ")
    return f"{scheme} " if rest and scheme.lower() in {"bearer", "basic", "digest", "negotiate"} else ""
