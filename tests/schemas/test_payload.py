"""The payload: salt, meta and body in one frame that is taken apart exactly or not at all."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.payload import (
    MAX_META_BYTES,
    SALT_BYTES,
    BodyTotals,
    ChunkMeta,
    DecisionMeta,
    ExchangeError,
    Meta,
    Payload,
    RequestContext,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    SessionCloseMeta,
    SessionOpenMeta,
    Timing,
    decode_payload,
    encode_payload,
    raw_commit,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
WIRE = st.text(st.characters(max_codepoint=0xFF))
COUNT = st.integers(0, 2**53)
FIELDS = st.lists(st.tuples(WIRE, WIRE), max_size=4).map(tuple)
LINES = st.builds(RequestLine, method=WIRE, target=WIRE, upstream=TEXT)
BODIES = st.builds(BodyTotals, length=COUNT, sha256=TEXT, chunks=COUNT, complete=st.booleans())
OPTIONAL = st.none() | TEXT
CONTEXTS = st.builds(RequestContext, model=OPTIONAL, stream=st.none() | st.booleans(), tool=OPTIONAL)
METAS = st.one_of(
    st.builds(
        RequestMeta,
        line=LINES,
        http_version=TEXT,
        headers=FIELDS,
        client=TEXT,
        context=CONTEXTS,
        body=BODIES,
        credential=OPTIONAL,
    ),
    st.builds(
        ResponseMeta,
        status=st.integers(0, 999),
        reason=WIRE,
        http_version=TEXT,
        headers=FIELDS,
        trailers=FIELDS,
        origin=st.sampled_from(["upstream", "gateway", "none"]),
        request=LINES,
        context=CONTEXTS,
        body=BODIES,
        timing=st.builds(Timing, start=COUNT, request_end=st.none() | COUNT, end=COUNT),
        error=st.none() | st.builds(ExchangeError, code=st.just("client-gone"), detail=TEXT),
    ),
    st.builds(ChunkMeta, index=COUNT, offset=COUNT, sha256=TEXT, content_type=OPTIONAL),
    st.builds(DecisionMeta, decision=st.sampled_from(["allow", "deny"]), reason=TEXT, line=LINES),
    st.builds(SessionOpenMeta, version=TEXT, config_digest=TEXT, basis=st.sampled_from(["claimed", "trace"])),
    st.builds(SessionCloseMeta, records=COUNT, reason=st.sampled_from(["idle", "shutdown"])),
)
SALT = bytes(range(SALT_BYTES))
CLOSE = SessionCloseMeta(records=1, reason="idle")


@given(METAS, st.binary(), st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES))
def test_a_payload_comes_back_as_it_was(meta: Meta, body: bytes, salt: bytes) -> None:
    """Every kind of meta, every body, byte for byte."""
    framed = encode_payload(meta, body, salt=salt)
    assert decode_payload(framed) == Payload(meta, body)
    assert framed.startswith(salt)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_refused(data: bytes) -> None:
    """Nothing but our refusal comes out of decoding."""
    with pytest.raises(MalformedRecord):
        decode_payload(data)


@given(st.binary(max_size=30))
def test_a_payload_cut_short_is_refused(body: bytes) -> None:
    """Every head that ends before the body begins is refused."""
    framed = encode_payload(CLOSE, body, salt=SALT)
    for end in range(len(framed) - len(body)):
        with pytest.raises(MalformedRecord):
            decode_payload(framed[:end])


def frame(meta: Any, length: int | None = None) -> bytes:
    text = json.dumps(meta).encode()
    return SALT + struct.pack(">I", len(text) if length is None else length) + text


@pytest.mark.parametrize(
    "meta",
    [
        {},
        [],
        {"kind": "unknown"},
        {"kind": "session.close", "records": 1},
        {"kind": "session.close", "records": 1, "reason": "bored"},
        {"kind": "session.close", "records": 1, "reason": "idle", "more": 1},
        {"kind": "chunk", "index": "zero", "offset": 0, "sha256": ""},
    ],
)
def test_a_meta_that_is_not_known_is_refused(meta: Any) -> None:
    """Unknown kinds, missing, wrong and further fields."""
    with pytest.raises(MalformedRecord, match="breaks its schema"):
        decode_payload(frame(meta))


def test_a_length_that_lies_is_refused() -> None:
    """Longer than the record or than the bound: nothing is allocated for it."""
    for length in (10_000, 2**32 - 1):
        with pytest.raises(MalformedRecord, match="does not fit"):
            decode_payload(frame({"kind": "x"}, length))


def test_refusals_hold_no_content() -> None:
    """The broken part is named; what stood there is not repeated."""
    with pytest.raises(MalformedRecord) as caught:
        decode_payload(frame({"kind": "session.close", "records": "secret", "reason": "secret"}))
    assert "records" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_meta_is_bounded() -> None:
    """More than a MiB of meta is a mistake of ours, and not written."""
    meta = ChunkMeta(index=0, offset=0, sha256="x" * MAX_META_BYTES)
    with pytest.raises(MalformedRecord, match="at most"):
        encode_payload(meta, b"", salt=SALT)


@pytest.mark.parametrize("size", [0, SALT_BYTES - 1, SALT_BYTES + 1])
def test_a_salt_of_another_size_is_refused(size: int) -> None:
    """The commitment of a short body is only as good as its salt."""
    with pytest.raises(ValueError, match="expected 16 bytes"):
        encode_payload(CLOSE, b"", salt=b"x" * size)


def test_the_commitment_is_over_everything() -> None:
    """Salt, meta and body: each changes it."""
    base = encode_payload(CLOSE, b"body", salt=SALT)
    others = [
        encode_payload(CLOSE, b"Body", salt=SALT),
        encode_payload(CLOSE, b"body", salt=SALT[::-1]),
        encode_payload(SessionCloseMeta(records=2, reason="idle"), b"body", salt=SALT),
    ]
    assert raw_commit(base) == sha256_hex(base)
    assert len({raw_commit(item) for item in (base, *others)}) == 4


def test_a_payload_s_repr_shows_sizes_only() -> None:
    """Payloads never get into logs by accident."""
    assert repr(Payload(CLOSE, b"secret")) == "Payload(kind='session.close', body=<6 bytes>)"
