"""Canonical JSON is one byte form for one value, and agrees with RFC 8785 where we use it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.canonical import canonical_json, sha256_hex

KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, VALUES))
def test_it_is_rfc_8785_on_our_subset(value: dict[str, Any]) -> None:
    """The standard library writes the same bytes: sorted keys, no white space, UTF-8, shortest escapes."""
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    # RFC 8785 (3.2.2.2) leaves DEL as it is; so do both.
    assert canonical_json(value) == expected


@given(st.dictionaries(KEYS, VALUES))
def test_order_does_not_matter_and_nothing_is_lost(value: dict[str, Any]) -> None:
    """Any order of keys gives the same bytes, and they read back as the value."""
    backwards = dict(reversed(value.items()))
    assert canonical_json(backwards) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


@given(st.binary())
def test_sha256_is_64_hex_digits(data: bytes) -> None:
    """Lower case, as every hash of ours is written."""
    assert sha256_hex(data) == hashlib.sha256(data).hexdigest()
