"""What an issuer may say about itself."""

from typing import Any

import pytest

from tachograph.identity.discovery import discovery_url, read_provider
from tachograph.identity.errors import IssuerFailed

ISSUER = "https://issuer.test/realms/a"
GOOD: dict[str, Any] = {
    "issuer": ISSUER,
    "jwks_uri": "https://issuer.test/keys",
    "token_endpoint": "https://t.test/",
}


def test_endpoints_are_read() -> None:
    """Those that are there, and nothing for the others."""
    provider = read_provider(GOOD | {"more": 1}, ISSUER)
    assert (provider.jwks_uri, provider.token_endpoint) == ("https://issuer.test/keys", "https://t.test/")
    assert provider.device_authorization_endpoint is None


@pytest.mark.parametrize("issuer", [ISSUER, ISSUER + "/"])
def test_the_document_lies_behind_the_issuer(issuer: str) -> None:
    """With one slash between."""
    assert discovery_url(issuer) == "https://issuer.test/realms/a/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": ISSUER + "/"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "http://keys.test"},
        {"jwks_uri": 7},
        {"token_endpoint": "http://t.test"},
        {"token_endpoint": ["https://t.test"]},
    ],
)
def test_another_issuers_or_an_unsafe_document_is_refused(changes: dict[str, Any]) -> None:
    """A mixed-up issuer, and every endpoint to which a secret would go in clear."""
    with pytest.raises(IssuerFailed):
        read_provider(GOOD | changes, ISSUER)
