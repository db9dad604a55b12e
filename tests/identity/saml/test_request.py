"""What goes to the provider by redirect."""

import base64
import zlib
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tachograph.identity.saml.request import Ourselves, begin
from tachograph.identity.saml.vocabulary import saml

OURS = Ourselves("https://console.test/<&>", "https://console.test/back")


def test_a_request_names_itself_us_and_where_to_answer() -> None:
    """Deflated, in base64, in the address; the attempt keeps what the answer must name."""
    attempt = begin(OURS, "https://idp.test/sso?realm=x", randomness=bytes, now=1_900_000_000)
    assert attempt.url.startswith("https://idp.test/sso?realm=x&SAMLRequest=")
    query = parse_qs(urlsplit(attempt.url).query)
    root = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), wbits=-15))
    assert root.attrib == {
        "ID": attempt.request_id,
        "Version": "2.0",
        "IssueInstant": "2030-03-17T17:46:40Z",
        "Destination": "https://idp.test/sso?realm=x",
        "AssertionConsumerServiceURL": "https://console.test/back",
        "ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
    }
    assert root.findtext(saml("Issuer")) == OURS.entity_id
    assert query["RelayState"] == [attempt.relay_state]
    assert len(attempt.relay_state) <= 80
    assert attempt.request_id not in repr(attempt)


@given(st.binary(min_size=20, max_size=20), st.binary(min_size=20, max_size=20))
def test_ids_are_as_random_as_their_source(one: bytes, other: bytes) -> None:
    """Two attempts share an id only if the source repeats itself."""
    ids = [
        begin(OURS, "https://idp.test", randomness=lambda _, v=v: v, now=0).request_id for v in (one, other)
    ]
    assert (ids[0] == ids[1]) == (one == other)
