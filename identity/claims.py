"""From a verified token's claims to who it is: audience, time, the issuer's rules, groups, actors. No I/O.

A claim that decides about access is taken whole or not at all: what is malformed, or beyond a bound, refuses
the token. A token that is bound to a key (RFC 7800) is no bearer token, and one about an event is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from tachograph.identity.errors import Unproven
from tachograph.identity.proof import Proof
from tachograph.identity.spiffe import SCHEME, is_spiffe_id
from tachograph.schemas.config import OidcIssuer
from tachograph.schemas.event import MAX_ACTORS, Principal, PrincipalKind

__all__ = ["MAX_AUDIENCES", "MAX_GROUPS", "MAX_NAME", "claim_at", "prove"]

MAX_NAME = 256
MAX_GROUPS = 256
MAX_AUDIENCES = 32
_LAST_SECOND = 2**53


def prove(claims: Mapping[str, Any], issuer: OidcIssuer, *, now: float) -> Proof:
    """Whose token it is, if its signature is good. Raises `Unproven`; `now` is Unix time in seconds."""
    expires = _times(claims, issuer, now)
    _purpose(claims, issuer)
    _rules(claims, issuer)
    name = _name(claims.get(issuer.principal_claim), issuer.principal_claim)
    principal = Principal(
        id=_within(issuer.principal_prefix + name, "principal"),
        kind=PrincipalKind.OIDC,
        issuer=issuer.issuer,
        actors=_actors(claims, issuer),
    )
    return Proof(principal, groups=_groups(claims, issuer), expires=expires)


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of this name, else the one that the dots lead to; None where there is none."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _times(claims: Mapping[str, Any], issuer: OidcIssuer, now: float) -> float:
    """RFC 7519, 4.1.4 to 4.1.6; a token without `exp` would be valid for ever and is refused."""
    expires = _moment(claims, "exp")
    if expires is None:
        raise Unproven("the token does not say when it expires")
    if now >= expires + issuer.leeway:
        raise Unproven("the token is expired")
    begins, issued = _moment(claims, "nbf"), _moment(claims, "iat")
    if begins is not None and now < begins - issuer.leeway:
        raise Unproven("the token is not valid yet")
    if issued is not None and now < issued - issuer.leeway:
        raise Unproven("the token was issued in the future")
    return expires + issuer.leeway


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not 0 <= value <= _LAST_SECOND or not math.isfinite(value):
        raise Unproven(f"the token's {name} is no time in seconds")
    return float(value)


def _purpose(claims: Mapping[str, Any], issuer: OidcIssuer) -> None:
    told = claims.get("aud")
    audiences = told if isinstance(told, list) else [told]
    if len(audiences) > MAX_AUDIENCES or not all(isinstance(item, str) for item in audiences):
        raise Unproven("the token's audience is not readable")
    if issuer.audience not in audiences:
        raise Unproven("the token is for another audience")
    if "cnf" in claims:
        raise Unproven("the token is bound to a key, which is not supported: ask for a bearer token")
    if "events" in claims:  # RFC 8417: logout tokens and their kin come from the same key
        raise Unproven("the token tells of an event and identifies nobody")


def _rules(claims: Mapping[str, Any], issuer: OidcIssuer) -> None:
    for path, patterns in issuer.require.items():
        told = claim_at(claims, path)
        values = [_text(item) for item in (told if isinstance(told, list) else [told])]
        if not any(value is not None and fnmatchcase(value, one) for value in values for one in patterns):
            raise Unproven(f"the token's claim {path!r} is not what this gateway requires")


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) and len(value) <= 8 * MAX_NAME else None


def _groups(claims: Mapping[str, Any], issuer: OidcIssuer) -> frozenset[str]:
    if issuer.groups_claim is None:
        return frozenset()
    told = claim_at(claims, issuer.groups_claim)
    if told is None:
        return frozenset()
    if isinstance(told, str):  # RFC 8693, 4.2: `scope` is a list with spaces between
        told = told.split() if issuer.groups_claim == "scope" else [told]
    if not isinstance(told, list) or len(told) > MAX_GROUPS:
        raise Unproven(f"the token's groups are not a list of at most {MAX_GROUPS}")
    return frozenset(
        _within(issuer.groups_prefix + _name(item, issuer.groups_claim), "group") for item in told
    )


def _actors(claims: Mapping[str, Any], issuer: OidcIssuer) -> tuple[str, ...]:
    """RFC 8693, 4.1: `act` names the current actor, and within it, by `act` again, those before.

    The issuer's own are named as it names principals, with its prefix.
    """
    found: list[str] = []
    holder: Any = claims
    while "act" in holder:
        holder = holder["act"]
        if not isinstance(holder, Mapping) or len(found) == MAX_ACTORS:
            raise Unproven(f"the token's chain of actors is malformed or longer than {MAX_ACTORS}")
        name = _name(holder.get("sub"), "act.sub")
        told = holder.get("iss", issuer.issuer)
        if not isinstance(told, str) or not 0 < len(told) <= MAX_NAME - 1 or not told.isprintable():
            raise Unproven("the token's chain of actors has an unusable issuer")
        ours = told == issuer.issuer
        found.append(_within(issuer.principal_prefix + name, "actor") if ours else f"{told}#{name}")
    return tuple(found)


def _name(value: object, claim: str) -> str:
    good = isinstance(value, str) and 0 < len(value) <= MAX_NAME
    if not isinstance(value, str) or not good or not value.isprintable() or value != value.strip():
        raise Unproven(f"the token has no usable claim {claim!r}")
    if value.lower().startswith(SCHEME) and not is_spiffe_id(value):
        raise Unproven(f"the token's claim {claim!r} is no SPIFFE id, though it begins like one")
    return value


def _within(name: str, what: str) -> str:
    if len(name) > MAX_NAME:
        raise Unproven(f"the token's {what} is longer than {MAX_NAME} characters with its prefix")
    return name
