"""The form of a token. What is signed and claimed is in `test_oidc.py`'s table."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.identity.errors import Unproven
from tachograph.identity.tokens import MAX_TOKEN_BYTES, claimed_issuer, take_apart

PART = st.text("ABCDEFabcdef0123456789-_.=+/ ", max_size=20)


def compact(header: object, claims: object, signature: bytes = b"sig") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize("kind", [{}, {"typ": "JWT"}, {"typ": "at+jwt"}, {"typ": "application/at+JWT"}])
def test_a_token_is_taken_apart(kind: dict[str, str]) -> None:
    """Algorithm, key id and claims, for every type that an access token may have."""
    token = take_apart(compact({"alg": "RS256", "kid": "k"} | kind, {"iss": "i", "sub": "secret"}))
    assert (token.algorithm, token.key_id, token.claims["sub"]) == ("RS256", "k", "secret")
    assert "secret" not in repr(token)


def test_the_issuer_is_read_before_anything_is_verified() -> None:
    """It says whom to ask, and only for what has a token's form."""
    good = compact({"alg": "RS256"}, {"iss": "https://issuer.test"})
    assert claimed_issuer(good) == "https://issuer.test"
    for bad in (compact({}, {}), compact({}, {"iss": 7}), "a.b", "", "x" * (MAX_TOKEN_BYTES + 1), good + "="):
        assert claimed_issuer(bad) is None


@given(PART | st.text())
def test_any_text_is_a_token_or_refused(text: str) -> None:
    """Nothing but a refusal comes out, and it repeats nothing."""
    assert claimed_issuer(text) is None
    with pytest.raises(Unproven) as refusal:
        take_apart(text)
    assert len(text) < 6 or text not in refusal.value.detail
