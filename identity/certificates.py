"""Who a verified client certificate names: its SPIFFE id, else its subject's common name. No I/O.

That the certificate is good (chain, time, purpose) is for TLS to see to, before this file is asked.
Revocation lists are not looked at: issue certificates that live for hours or days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tachograph.identity.errors import Unproven
from tachograph.identity.proof import Proof
from tachograph.identity.spiffe import SCHEME, is_spiffe_id
from tachograph.schemas.event import Principal, PrincipalKind

__all__ = ["certified"]

MAX_NAME = 256
MAX_ISSUER = 512


def certified(certificate: Mapping[str, Any]) -> Proof:
    """Whose certificate this is, in the form of `ssl.SSLSocket.getpeercert`; raises `Unproven`."""
    issuer = ",".join(f"{name}={value}" for name, value in _attributes(certificate.get("issuer")))
    name = _name(certificate)
    if not 0 < len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise Unproven("the client certificate has no usable name: expected a SPIFFE id or a common name")
    return Proof(Principal(id=name, kind=PrincipalKind.MTLS, issuer=issuer[:MAX_ISSUER] or None))


def _name(certificate: Mapping[str, Any]) -> str:
    addresses = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    if any(value.lower().startswith(SCHEME) for value in addresses):
        # X509-SVID, 2: exactly one URI, and that is the id
        if len(addresses) != 1 or not is_spiffe_id(addresses[0]):
            raise Unproven("the client certificate names more than one SPIFFE id, or a malformed one")
        return str(addresses[0])
    names = [value for kind, value in _attributes(certificate.get("subject")) if kind == "commonName"]
    if len(names) != 1:
        raise Unproven("the client certificate has no SPIFFE id and not exactly one common name")
    if names[0].lower().startswith(SCHEME):
        # Who signs common names need not look at what they say; an id stands among the URIs.
        raise Unproven("the client certificate has a SPIFFE id where a common name belongs")
    return names[0]


def _attributes(name: Iterable[Iterable[tuple[str, str]]] | None) -> list[tuple[str, str]]:
    return [(kind, value) for part in name or () for kind, value in part]
