"""A published set of keys (RFC 7517), read for one purpose: to verify signatures. No I/O.

What is not understood, or not for signatures, is passed over. A key that stands there with its private half
is nobody's alone and never used; neither is one that shares its id with another key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from tachograph.identity.errors import IssuerFailed

__all__ = ["MAX_KEYS", "SigningKey", "fits", "signing_keys"]

SigningKey = RSAKey | ECKey | OKPKey
MAX_KEYS = 64
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""A longer one only costs time: an exponent and a modulus that somebody else chose."""
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_USES = frozenset({"sig", "jwt-svid"})  # the second is SPIFFE's word (SPIFFE Trust Domain and Bundle, 4.2.2)


def signing_keys(document: Mapping[str, Any]) -> dict[str | None, SigningKey]:
    """The usable keys by id; None stands for a key without one. Raises `IssuerFailed` for what is no set."""
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise IssuerFailed(f"expected a list of at most {MAX_KEYS} keys")
    found = [(key, entry.get("kid")) for entry in entries if (key := _signing_key(entry)) is not None]
    count = Counter(kid for _, kid in found)
    return {kid: key for key, kid in found if count[kid] == 1}


def fits(key: SigningKey, algorithm: str) -> bool:
    """Whether the key is for this algorithm, by its kind and by what it says itself (RFC 7517, 4.4)."""
    told = key.get("alg")
    if told is not None and told != algorithm and {told, algorithm} != {"EdDSA", "Ed25519"}:
        return False
    kind = RSAKey if algorithm[:2] in {"RS", "PS"} else ECKey if algorithm[:2] == "ES" else OKPKey
    return isinstance(key, kind)


def _signing_key(entry: object) -> SigningKey | None:
    if not isinstance(entry, dict) or not _PRIVATE.isdisjoint(entry) or not _is_texts(entry):
        return None
    if entry.get("use", "sig") not in _USES or not _verifies(entry.get("key_ops")):
        return None
    if entry.get("kty") not in {"RSA", "EC", "OKP"}:  # never `oct`: a published secret is none
        return None
    # `use` and `key_ops` are settled; the library would not know SPIFFE's word
    plain = {name: value for name, value in entry.items() if name not in {"use", "key_ops"}}
    try:
        key = JWKRegistry.import_key(plain)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if isinstance(key, RSAKey):
        return key if MIN_RSA_BITS <= key.public_key.key_size <= MAX_RSA_BITS else None
    return key if isinstance(key, ECKey | OKPKey) else None


def _is_texts(entry: Mapping[str, Any]) -> bool:
    return all(isinstance(entry.get(name), str | None) for name in ("kty", "use", "kid", "alg"))


def _verifies(operations: object) -> bool:
    return operations is None or (isinstance(operations, list) and "verify" in operations)
