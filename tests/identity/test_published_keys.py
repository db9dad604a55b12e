"""Which published keys may verify, and which may not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from tachograph.identity.errors import IssuerFailed
from tachograph.identity.published_keys import MAX_KEYS, fits, signing_keys

EC = ECKey.generate_key("P-256", {"kid": "ec"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
PUBLIC: dict[str, Any] = dict(EC.as_dict(private=False))


@pytest.mark.parametrize(
    "more",
    [{}, {"use": "sig"}, {"use": "jwt-svid"}, {"key_ops": ["verify"]}, {"alg": "ES256"}, {"x5t": "AA"}],
)
def test_keys_for_signatures_are_taken(more: dict[str, Any]) -> None:
    """Whatever they say about themselves, as long as it is to verify; SPIFFE's bundles too."""
    assert list(signing_keys({"keys": [PUBLIC | more]})) == ["ec"]


@pytest.mark.parametrize(
    "entry",
    [
        7,
        None,
        [],
        {},
        {"kty": "new"},
        {"kty": "EC"},
        PUBLIC | {"use": "enc"},
        PUBLIC | {"use": ["sig"]},
        PUBLIC | {"key_ops": ["encrypt"]},
        PUBLIC | {"key_ops": "verify"},
        PUBLIC | {"kid": 7},
        PUBLIC | {"x": "AAAA"},
        PUBLIC | {"crv": "P-999"},
        PUBLIC | {"x": 1},
        dict(EC.as_dict(private=True)),
        dict(OctKey.generate_key(256, {"kid": "oct"}).as_dict(private=True)),
        dict(RSA.as_dict(private=True)),
        dict(RSA.as_dict(private=False)) | {"k": "AAAA"},
    ],
)
def test_everything_else_is_passed_over(entry: object) -> None:
    """Encryption keys, shared secrets, keys whose private half is published, and what is no key."""
    assert list(signing_keys({"keys": [entry, dict(ED.as_dict(private=False))]})) == ["ed"]


def test_two_keys_of_one_id_are_none() -> None:
    """Nobody can say which is meant, so neither is."""
    twice = dict(ECKey.generate_key("P-256", {"kid": "ec"}).as_dict(private=False))
    assert signing_keys({"keys": [PUBLIC, twice]}) == {}


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": "x"}, {"keys": [PUBLIC] * (MAX_KEYS + 1)}])
def test_what_is_no_list_of_keys_is_refused(document: dict[str, Any]) -> None:
    """Also a list beyond the bound."""
    with pytest.raises(IssuerFailed):
        signing_keys(document)


@pytest.mark.parametrize(
    ("key", "algorithm", "good"),
    [
        (RSA, "RS256", True),
        (RSA, "PS512", True),
        (RSA, "ES256", False),
        (EC, "ES256", True),
        (EC, "RS256", False),
        (ED, "EdDSA", True),
        (ED, "ES256", False),
        (RSA, "EdDSA", False),
    ],
)
def test_a_key_is_for_its_own_algorithms(key: Any, algorithm: str, *, good: bool) -> None:
    """By kind, and by what the key says."""
    assert fits(key, algorithm) is good


def test_a_key_that_names_its_algorithm_serves_no_other() -> None:
    """RFC 7517, 4.4."""
    narrow = signing_keys({"keys": [dict(RSA.as_dict(private=False)) | {"alg": "PS256"}]})["rsa"]
    assert (fits(narrow, "PS256"), fits(narrow, "RS256")) == (True, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops", "d"]), JSON
    )
)
def test_any_entry_is_a_key_or_none(changes: dict[str, Any]) -> None:
    """Nothing breaks the reading of the others."""
    assert list(signing_keys({"keys": [PUBLIC | changes]})) in ([], [changes.get("kid", "ec")])
