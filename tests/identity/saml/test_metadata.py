"""The provider's metadata, read strictly; ours, as they are written."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tachograph.identity.errors import IssuerFailed
from tachograph.identity.saml.metadata import MAX_CERTIFICATES, read_metadata, service_metadata
from tachograph.identity.saml.request import Ourselves
from tachograph.identity.saml.strict_xml import read
from tachograph.identity.saml.vocabulary import md

ENTITY = "https://idp.test"


def test_a_providers_metadata_are_read(make: Any, idp: Any) -> None:
    """Its redirect address and its signing certificates, comments and all."""
    idp.certificates = [make.certificate(make.key), make.certificate(make.curve)]
    provider = read_metadata(idp.metadata(), ENTITY, now=make.now)
    assert (provider.entity_id, provider.sso_url) == (ENTITY, "https://idp.test/sso")
    assert list(provider.certificates) == idp.certificates
    assert provider.good_until == float("inf")


def test_one_of_several_providers_is_chosen_by_its_name(make: Any, idp: Any) -> None:
    """As federations publish them; the sooner of two ends counts."""
    one, other = (
        idp.metadata(entity=name).partition(b"-->")[2].decode() for name in (ENTITY, "https://b.test")
    )
    begin = (
        f'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" validUntil="{make.at(60)}">'
    )
    both = f"{begin}{one}{other}</md:EntitiesDescriptor>".encode()
    assert read_metadata(both, ENTITY, now=make.now).good_until == make.now + 60
    with pytest.raises(IssuerFailed, match="validUntil"):
        read_metadata(both, ENTITY, now=make.now + 60)
    with pytest.raises(IssuerFailed, match="once"):
        read_metadata(both.replace(b"https://b.test", ENTITY.encode()), ENTITY, now=make.now)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"entity": "https://evil.test"}, "idp_entity_id"),
        ({"sso": "http://idp.test/sso"}, "https address"),
        ({"sso": "javascript:alert(1)"}, "https address"),
        ({"sso": "https://idp.test/#x"}, "https address"),
        ({"role": 'validUntil="2001-01-01T00:00:00Z"'}, "validUntil"),
        ({"more": 'validUntil="never"'}, "a time"),
    ],
)
def test_metadata_that_cannot_be_used_say_why(make: Any, idp: Any, changes: Any, reason: str) -> None:
    """In words for the operator, with nothing of the document."""
    with pytest.raises(IssuerFailed, match=reason):
        read_metadata(idp.metadata(**changes), ENTITY, now=make.now)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<md:EntityDescriptor", b"<!DOCTYPE x><md:EntityDescriptor", "document type"),
        (b"HTTP-Redirect", b"SOAP", "HTTP-Redirect"),
        (b"SAML:2.0:protocol", b"SAML:1.1:protocol", "IDPSSODescriptor"),
        (b"MII", b"AII", "malformed"),
        (b'use="signing"', b'use="encryption"', "no signing certificate"),
        (b"EntityDescriptor", b"Entity", "EntityDescriptor"),
    ],
)
def test_broken_metadata_are_refused(make: Any, idp: Any, old: bytes, new: bytes, reason: str) -> None:
    """What is not there, or is something else, makes no provider."""
    data = idp.metadata()
    assert old in data
    with pytest.raises(IssuerFailed, match=reason):
        read_metadata(data.replace(old, new), ENTITY, now=make.now)


def test_weak_keys_and_too_many_are_refused(make: Any, idp: Any) -> None:
    """RSA below 2048 bits and unusual curves verify nothing; a strong one beside them does."""
    weak = [rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256K1())]  # noqa: S505  refused
    idp.certificates = [make.certificate(key) for key in weak]
    with pytest.raises(IssuerFailed, match="no signing certificate"):
        read_metadata(idp.metadata(), ENTITY, now=make.now)
    idp.certificates.append(make.certificate(make.key))
    assert read_metadata(idp.metadata(), ENTITY, now=make.now).certificates == (idp.certificates[2],)
    idp.certificates = [make.certificate(make.curve)] * (MAX_CERTIFICATES + 1)
    with pytest.raises(IssuerFailed, match="more than"):
        read_metadata(idp.metadata(), ENTITY, now=make.now)


def test_our_metadata_are_xml_whatever_we_are_called() -> None:
    """Names are escaped; the assertion consumer service takes posts."""
    root = read(service_metadata(Ourselves('https://console.test/?a="<&', "https://console.test/back")))
    assert root.get("entityID") == 'https://console.test/?a="<&'
    service = root.find(f"{md('SPSSODescriptor')}/{md('AssertionConsumerService')}")
    assert service is not None
    assert service.get("Location") == "https://console.test/back"
