"""Where an agent may present its gateway credential, and how that is taken out again. No I/O.

In this order: `x-tacho-key`, `proxy-authorization`, `authorization` (Bearer; Basic with the credential as
password, or as user without one), `x-api-key`, `api-key`. Agents that can set one variable only must find a
place among them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tachograph.identity.api_keys import KEY_PATTERN
from tachograph.schemas.payload import HeaderField

__all__ = ["PLACEHOLDER", "PLACES", "Presented", "parted", "presented", "scrubbed", "withheld"]

PLACEHOLDER = "[gateway-credential]"
PLACES = ("x-tacho-key", "proxy-authorization", "authorization", "x-api-key", "api-key")
OURS = frozenset({"x-tacho-key", "proxy-authorization"})
"""Never for the target, whatever they hold."""
MAX_CREDENTIAL = 16 * 1024
_NOWHERE = "\n"
"""Stands in no header field."""


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


def parted(
    headers: Sequence[HeaderField], text: str | None
) -> tuple[tuple[HeaderField, ...], tuple[HeaderField, ...]]:
    """The headers for the target, and those for the record; `text` is the credential, None for none.

    To the target goes no field that carries the credential or any gateway key, and none that is only for us.
    On record, where the credential stood, its place and scheme are still to be seen.
    """
    text = _NOWHERE if text is None else text
    forward: list[HeaderField] = []
    recorded: list[HeaderField] = []
    for field in headers:
        ours = field[0].lower() in OURS
        if ours or _carries(field, text):
            recorded.append((field[0], _replaced(field, text)))
        else:
            forward.append(field)
            recorded.append(field)
    return tuple(forward), tuple(recorded)


def withheld(headers: Sequence[HeaderField]) -> tuple[HeaderField, ...]:
    """The headers of a request whose sender is unknown: whatever stands in the places is a credential."""
    return tuple(
        (name, _scheme(value) + PLACEHOLDER) if name.lower() in PLACES else (name, _without_keys(value))
        for name, value in headers
    )


def scrubbed(text: str) -> str:
    """A text, such as a request's target, in which whatever has the shape of a gateway key is replaced."""
    return KEY_PATTERN.sub(PLACEHOLDER, text)


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
    """RFC 7617, 2: base64 of user-id ":" password; `http://KEY@host` gives a user without one."""
    user, _, password = _decoded(value).partition(":")
    return password or user


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


def _carries(field: HeaderField, text: str) -> bool:
    # Wherever it stands, in clear or under Basic: a misplaced credential is one all the same. So is a second
    # gateway key, although the first one has decided.
    value = field[1]
    return _holds(value, text) or (_is_basic(value) and _holds(_basic(value), text))


def _holds(value: str, text: str) -> bool:
    return text in value or KEY_PATTERN.search(value) is not None


def _replaced(field: HeaderField, text: str) -> str:
    name, value = field
    if name.lower() in PLACES or (_is_basic(value) and text in _basic(value)):
        return _scheme(value) + PLACEHOLDER
    return _without_keys(value.replace(text, PLACEHOLDER))


def _without_keys(value: str) -> str:
    if _is_basic(value) and KEY_PATTERN.search(_basic(value)):
        return _scheme(value) + PLACEHOLDER
    return scrubbed(value)


def _is_basic(value: str) -> bool:
    return value.lstrip()[:5].lower() == "basic"


def _basic(value: str) -> str:
    """What a Basic credential says, user and password alike."""
    return _decoded(value.strip().partition(" ")[2].strip())


def _scheme(value: str) -> str:
    scheme, _, rest = value.strip().partition(" ")
    return f"{scheme} " if rest and scheme.lower() in {"bearer", "basic", "digest", "negotiate"} else ""
