"""A strand's records open with its key, count without a gap, and hang together."""

import itertools
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.recording.claims import Claims
from tachograph.ingress.recording.strand import Scope, Sources, Strand
from tachograph.schemas.connection import Connection
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.event import (
    GENESIS,
    Agent,
    Direction,
    EventType,
    Principal,
    PrincipalKind,
    Protocol,
    Trace,
    header_hash,
    rfc3339_ns,
)
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey, strand_name
from tachograph.schemas.payload import ChunkMeta, RequestLine, decode_payload, raw_commit
from tachograph.schemas.payload import DecisionMeta as Decision
from tachograph.schemas.topics import Topics

KEK = KeyEncryptionKey(b"k" * 32)
META = ChunkMeta(index=0, offset=0, sha256="0" * 64)


def counting() -> Callable[[int], bytes]:
    numbers = itertools.count()
    return lambda length: next(numbers).to_bytes(length, "big")


def strand() -> Strand:
    return Strand(
        session=uuid.UUID(int=1),
        epoch=uuid.UUID(int=2),
        principal=Principal(id="bot", kind=PrincipalKind.API_KEY),
        topics=Topics("t"),
        sources=Sources(lambda: 1_700_000_000_123_456_789, counting()),
        data_key=b"d" * 32,
    )


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=12))
def test_records_count_without_a_gap_and_hang_together(bodies: list[bytes]) -> None:
    """seq counts from 0, prev is the hash of the header before, each opens with the wrapped key alone."""
    made = strand()
    wrapped = WrappedKey.decode(made.wrapped_key(KEK.wrap(made.name, made.data_key)).value)
    cipher = KEK.unwrap(wrapped)
    previous = GENESIS
    for seq, body in enumerate(bodies):
        sealed = parse_sealed(made.record(EventType.CHUNK, META, body).value)
        payload = open_sealed(sealed, cipher=cipher)
        assert (sealed.header.seq, sealed.header.prev) == (seq, previous)
        assert (sealed.header.raw_commit, sealed.header.raw_len) == (raw_commit(payload), len(payload))
        assert decode_payload(payload).body == body
        previous = header_hash(sealed.header.canonical())
    assert (made.records, made.last) == (len(bodies), previous)


def test_a_record_says_whose_it_is() -> None:
    """Exchange, connection, principal, claims and time stand in the clear header; Kafka gets key and uid."""
    made = strand()
    item = Connection.model_validate({"name": "m", "protocol": "mcp", "upstream": "http://u"})
    scope = Scope(uuid.UUID(int=9), item, Claims(Agent(session="~00")), "0123456789abcdef")
    entry = made.record(EventType.REQUEST, META, scope=scope, direction=Direction.REQUEST, incomplete=True)
    header = parse_sealed(entry.value).header
    assert (header.exchange, header.connection, header.protocol) == (uuid.UUID(int=9), "m", "mcp")
    assert (header.principal.id, header.agent.session, header.incomplete) == ("bot", "~00", True)
    assert header.registry == "0123456789abcdef"
    assert parse_sealed(made.record(EventType.CHUNK, META).value).header.registry is None
    assert header.ts == "2023-11-14T22:13:20.123456789Z"
    assert (entry.topic, entry.key) == ("t.raw", str(made.session).encode())
    assert dict(entry.headers) == {"uid": str(header.uid).encode(), "type": b"request"}


@given(
    st.sampled_from(EventType),
    st.sampled_from(Direction),
    st.booleans(),
    st.none() | st.uuids(),
    st.none() | st.sampled_from(Protocol),
    st.none() | st.text(max_size=64),
    st.integers(0, 2**61),
)
def test_every_header_is_one_of_the_schema(
    type_: EventType,
    direction: Direction,
    incomplete: bool,
    exchange: uuid.UUID | None,
    protocol: Protocol | None,
    claim: str | None,
    moment: int,
) -> None:
    """Whatever goes in, the schema reads the header back and writes the very same bytes."""
    item = (
        Connection.model_validate({"name": "m", "protocol": protocol, "upstream": "http://u"})
        if protocol
        else None
    )
    trace = Trace(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01") if claim else None
    scope = Scope(exchange, item, Claims(Agent(session=claim, id=claim), trace))
    made = strand()
    made.sources = Sources(lambda: moment, bytes)
    entry = made.record(type_, META, b"", scope=scope, direction=direction, incomplete=incomplete)
    header = parse_sealed(entry.value).header
    assert (header.type, header.direction, header.incomplete) == (type_, direction, incomplete)
    assert (header.exchange, header.protocol, header.agent.session) == (exchange, protocol, claim)
    assert (header.trace, header.ts) == (trace, rfc3339_ns(moment))
    assert header.principal == made.principal


def test_the_wrapped_key_has_the_strands_name() -> None:
    """A tombstone under that name shreds the strand."""
    made = strand()
    entry = made.wrapped_key(KEK.wrap(made.name, made.data_key))
    assert (entry.topic, entry.key) == ("t.keys", strand_name(made.session, made.epoch).encode())
    assert b"d" * 32 not in entry.value


def test_a_record_that_cannot_be_made_leaves_no_gap() -> None:
    """A meta beyond its bound is refused, and the next record takes its number."""
    made = strand()
    line = RequestLine(method="GET", target="x" * (1 << 20), upstream="")
    with pytest.raises(MalformedRecord):
        made.record(EventType.DECISION, Decision(decision="deny", reason="", line=line))
    assert parse_sealed(made.record(EventType.CHUNK, META).value).header.seq == 0


def test_a_repr_shows_no_key() -> None:
    """A strand in a log or a debugger does not give its data key away."""
    assert "ddd" not in repr(strand())
