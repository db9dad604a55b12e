"""Opening: what comes out, and the reason for each thing that does not."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tachograph.processors.errors import KeyMissing, Poisoned
from tachograph.processors.unseal import open_payload, parse_record
from tachograph.schemas.envelope import seal
from tachograph.schemas.event import EventType


def reason(value: bytes | None, strand: Any) -> str:
    with pytest.raises(Poisoned) as caught:
        open_payload(parse_record(value), lambda _: strand.cipher)
    return caught.value.reason


def test_an_intact_record_opens(new_strand: Callable[..., Any]) -> None:
    """Header, facts and body come out as they were sealed."""
    strand = new_strand()
    record = strand.request(b"body", exchange=strand.new_exchange())
    payload = open_payload(parse_record(record.value), lambda _: strand.cipher)
    assert payload.body == b"body"
    assert payload.meta.kind == "request"


def test_the_cipher_is_asked_for_by_strand(new_strand: Callable[..., Any]) -> None:
    """The key is looked up under session and epoch."""
    strand = new_strand()
    asked = []

    def cipher_for(name: str) -> Any:
        asked.append(name)
        return strand.cipher

    open_payload(parse_record(strand.open().value), cipher_for)
    assert asked == [f"{strand.session}/{strand.epoch}"]


def test_each_refusal_has_its_reason(new_strand: Callable[..., Any]) -> None:
    """Foreign bytes, a newer version, a cut, an altered byte and a tombstone are told apart."""
    strand = new_strand()
    value = strand.open().value
    assert reason(None, strand) == "malformed"
    assert reason(b"", strand) == "malformed"
    assert reason(b"XX" + value[2:], strand) == "unknown-version"
    assert reason(b"TG\x02" + value[3:], strand) == "unknown-version"
    assert reason(value[:60], strand) == "malformed"
    assert reason(value[:-1] + bytes([value[-1] ^ 1]), strand) == "seal-broken"


def test_another_strands_key_does_not_open(new_strand: Callable[..., Any]) -> None:
    """A record opened with the wrong key is a broken seal, not garbage."""
    assert reason(new_strand().open().value, new_strand()) == "seal-broken"


def test_a_payload_of_another_kind_than_its_header_is_refused(new_strand: Callable[..., Any]) -> None:
    """A header that says `response` over a request's facts is malformed, even under a good seal."""
    strand = new_strand()
    sealed = parse_record(strand.request(b"", exchange=strand.new_exchange()).value)
    payload = strand.cipher.decrypt((0).to_bytes(12, "big"), sealed.ciphertext, sealed.associated)
    header = sealed.header.model_copy(update={"type": EventType.RESPONSE})
    assert reason(seal(header.canonical(), 0, payload, cipher=strand.cipher), strand) == "malformed"


def test_a_missing_key_is_passed_on(new_strand: Callable[..., Any]) -> None:
    """Waiting is the caller's business."""

    def nothing(strand: str) -> Any:
        raise KeyMissing(strand)

    with pytest.raises(KeyMissing):
        open_payload(parse_record(new_strand().open().value), nothing)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(position=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_no_altered_byte_passes(new_strand: Callable[..., Any], position: int, flip: int) -> None:
    """Flip any byte anywhere: the record is poisoned, never opened and never an unknown exception."""
    strand = new_strand()
    value = bytearray(strand.request(b"some body", exchange=strand.new_exchange()).value)
    value[position % len(value)] ^= flip
    assert reason(bytes(value), strand) in {"malformed", "unknown-version", "seal-broken"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(value=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_poison(new_strand: Callable[..., Any], value: bytes) -> None:
    """Arbitrary bytes are refused with a reason."""
    assert reason(value, new_strand())
