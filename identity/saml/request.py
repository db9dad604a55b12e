"""The request that sends a browser to the provider: an AuthnRequest by the HTTP-Redirect binding. No I/O.

It is not signed. It asks for nothing but an answer to where our metadata say, and the provider compares that
address with what it knows of us (profiles, 4.1.4.1).
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from lxml import etree

from tachograph.identity.saml.vocabulary import ASSERTION, POST, PROTOCOL, VERSION, saml, samlp

__all__ = ["Attempt", "Ourselves", "begin"]

_RANDOM_BYTES = 20
"""160 bits, as core, 1.3.4 recommends for identifiers."""


@dataclass(frozen=True, slots=True)
class Ourselves:
    """What a provider knows us by."""

    entity_id: str
    acs_url: str
    """The assertion consumer service: where answers come to, by POST."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login under way. Keep it on the server, tied to the browser; it is good for one answer."""

    url: str = field(repr=False)
    """Where to send the browser."""
    request_id: str = field(repr=False)
    relay_state: str = field(repr=False)
    began: float
    """Unix time in seconds."""


def begin(ours: Ourselves, sso_url: str, *, randomness: Callable[[int], bytes], now: float) -> Attempt:
    """A new attempt at the provider whose single sign-on service is at `sso_url`."""
    request_id = f"_{randomness(_RANDOM_BYTES).hex()}"  # an xs:ID does not begin with a digit
    relay_state = randomness(_RANDOM_BYTES).hex()  # bindings, 3.4.3: at most 80 bytes
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)  # bindings, 3.4.4.1: RFC 1951, no zlib header
    packed = deflate.compress(_request(ours, sso_url, request_id, now)) + deflate.flush()
    query = urlencode({"SAMLRequest": base64.b64encode(packed), "RelayState": relay_state})
    return Attempt(f"{sso_url}{'&' if '?' in sso_url else '?'}{query}", request_id, relay_state, now)


def _request(ours: Ourselves, sso_url: str, request_id: str, now: float) -> bytes:
    moment = datetime.fromtimestamp(now, UTC)
    request = etree.Element(
        samlp("AuthnRequest"),
        {
            "ID": request_id,
            "Version": VERSION,
            "IssueInstant": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "Destination": sso_url,
            "AssertionConsumerServiceURL": ours.acs_url,
            "ProtocolBinding": POST,
        },
        nsmap={"samlp": PROTOCOL, "saml": ASSERTION},
    )
    etree.SubElement(request, saml("Issuer")).text = ours.entity_id
    etree.SubElement(request, samlp("NameIDPolicy"), {"AllowCreate": "true"})
    return etree.tostring(request)
