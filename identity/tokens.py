"""A signed token taken apart: RFC 7515 compact form, three parts, each written in one way only. No I/O.

Nothing here is verified yet but the form: it says which issuer's key is to be asked, and under which
algorithm. What a header asks for beyond that is refused or, where it only offers keys, not looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from tachograph.identity.errors import Unproven
from tachograph.identity.strict_json import Ambiguous, read_object

__all__ = ["MAX_TOKEN_BYTES", "SignedToken", "claimed_issuer", "take_apart"]

MAX_TOKEN_BYTES = 8 * 1024
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
# RFC 7519, 5.1; RFC 9068, 2.1: what is typed as anything else was made for another purpose (RFC 8725, 3.11)
_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
_NO_FORM = "the bearer credential is not a signed token"


@dataclass(frozen=True, slots=True)
class SignedToken:
    """What a token says about itself. `repr` shows nothing of it."""

    algorithm: str = field(repr=False)
    key_id: str | None = field(repr=False)
    claims: dict[str, Any] = field(repr=False)


def take_apart(text: str) -> SignedToken:
    """The parts of a token in compact form; raises `Unproven` with a reason that repeats nothing of it."""
    if len(text) > MAX_TOKEN_BYTES:
        raise Unproven(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
    if _COMPACT.fullmatch(text) is None:
        raise Unproven(_NO_FORM)
    first, second, third = text.split(".")
    try:
        header, claims = read_object(_decoded(first)), read_object(_decoded(second))
        _decoded(third)
    except Ambiguous:
        raise Unproven(_NO_FORM) from None
    _check_header(header)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise Unproven("the token's algorithm is not allowed")
    if kid is not None and not isinstance(kid, str):
        raise Unproven("the token's key id is not a text")
    return SignedToken(algorithm, kid, claims)


def claimed_issuer(text: str) -> str | None:
    """The `iss` that a text claims, where it has the form of a token; nothing about it is verified."""
    if len(text) > MAX_TOKEN_BYTES or _COMPACT.fullmatch(text) is None:
        return None
    try:
        issuer = read_object(_decoded(text.split(".")[1])).get("iss")
    except Ambiguous:
        return None
    return issuer if isinstance(issuer, str) else None


def _check_header(header: dict[str, Any]) -> None:
    # RFC 7515, 4.1.11: what is critical and not understood must not be accepted; RFC 7797: `b64`
    if "crit" in header or "b64" in header or "enc" in header or "zip" in header:
        raise Unproven("the token's header makes demands that are not understood")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Unproven("the token was made for another purpose, its type says")
    if "cty" in header:  # RFC 7519, 5.2: a nested token
        raise Unproven("the token holds another token")


def _decoded(part: str) -> bytes:
    """RFC 7515, 2: base64url without padding; RFC 4648, 3.5: bits that are not used are zero."""
    try:
        data = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Ambiguous("expected base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part.encode():
        raise Ambiguous("expected base64url in its only form")
    return data
