"""SPIFFE ids, in their only form."""

import pytest

from tachograph.identity.spiffe import is_spiffe_id


@pytest.mark.parametrize(
    "text", ["spiffe://acme.test", "spiffe://acme.test/ns/a/sa/b", "spiffe://a-b_c.test/...", "spiffe://a/.b"]
)
def test_ids_as_the_standard_writes_them(text: str) -> None:
    """Trust domain, and a path of plain segments."""
    assert is_spiffe_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spiffe://",
        "spiffe:///x",
        "SPIFFE://acme/x",
        "spiffe://Acme/x",
        "spiffe://acme/",
        "spiffe://acme//x",
        "spiffe://acme/./x",
        "spiffe://acme/..",
        "spiffe://acme/x?y",
        "spiffe://acme:80/x",
        "spiffe://a@b/x",
        "spiffe://acme/%2e",
        "https://acme/x",
        "spiffe://acme/x\n",
    ],
)
def test_what_only_looks_like_one(text: str) -> None:
    """Anything that could be read as another id, or as none."""
    assert not is_spiffe_id(text)
