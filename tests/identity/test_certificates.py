"""Names in client certificates, as TLS hands them over once it has verified them."""

from typing import Any

import pytest

from tachograph.identity.certificates import certified
from tachograph.identity.errors import Unproven
from tachograph.schemas.event import PrincipalKind

ISSUER = ((("organizationName", "Acme"),), (("commonName", "Agents CA"),))


def certificate(*names: str, uris: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "subject": tuple((("commonName", name),) for name in names),
        "issuer": ISSUER,
        "subjectAltName": (("DNS", "a.test"), *(("URI", uri) for uri in uris)),
    }


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (certificate("builder"), "builder"),
        (certificate("ignored", uris=("spiffe://acme.test/agent",)), "spiffe://acme.test/agent"),
        (certificate("builder", uris=("https://acme.test",)), "builder"),
    ],
)
def test_a_certificate_names_its_holder(given: dict[str, Any], name: str) -> None:
    """The SPIFFE id where there is one, with the issuer, so that two authorities stay apart."""
    principal = certified(given).principal
    assert (principal.id, principal.kind) == (name, PrincipalKind.MTLS)
    assert principal.issuer == "organizationName=Acme,commonName=Agents CA"


@pytest.mark.parametrize(
    "given",
    [
        {},
        certificate(),
        certificate("a", "b"),
        certificate(""),
        certificate(" root"),
        certificate("a\0b"),
        certificate("x" * 257),
        certificate("spiffe://acme.test/agent"),
        certificate("Spiffe://acme.test/agent", uris=("https://acme.test",)),
        certificate("a", uris=("spiffe://acme.test/a", "spiffe://acme.test/b")),
        certificate("a", uris=("spiffe://acme.test/a", "https://acme.test")),
        certificate("a", uris=("SPIFFE://acme.test/a",)),
        certificate("a", uris=("spiffe://acme.test/../a",)),
    ],
)
def test_a_name_that_is_not_one_is_refused(given: dict[str, Any]) -> None:
    """None, several, malformed: nobody is somebody by half."""
    with pytest.raises(Unproven):
        certified(given)
