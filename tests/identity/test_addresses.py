"""Which addresses are safe to ask; `test_issuer_keys.py` proves that no other one is asked."""

import pytest

from tachograph.identity.addresses import safe


@pytest.mark.parametrize(
    "url",
    ["https://issuer.test", "https://[::1]/x", "http://127.0.0.1:80/", "http://localhost:1", "http://[::1]"],
)
def test_an_encrypted_way_or_this_machine(url: str) -> None:
    """HTTPS from anywhere, HTTP from here."""
    assert safe(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "http://issuer.test",
        "http://127.0.0.1.evil.test",
        "file:///x",
        "ftp://x",
        "https://[x",
        "//x",
    ],
)
def test_nothing_else(url: str) -> None:
    """Plain HTTP elsewhere, other schemes, and what is no address."""
    assert not safe(url)
