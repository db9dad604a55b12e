"""The control: records that do hold the credentials, opened with the key, and their chain."""

import json
import uuid
from random import Random

from tachograph.cli.demo.control import examine
from tachograph.cli.demo.evidence import Message
from tachograph.cli.demo.leaks import Search
from tachograph.cli.demo.plant import plant
from tachograph.schemas.envelope import DATA_KEY_BYTES, seal
from tachograph.schemas.event import (
    GENESIS,
    Direction,
    EventType,
    Header,
    Principal,
    PrincipalKind,
    event_uid,
    header_hash,
)
from tachograph.schemas.keys import KeyEncryptionKey, strand_name
from tachograph.schemas.payload import (
    BodyTotals,
    ChunkMeta,
    Meta,
    RequestLine,
    ResponseMeta,
    Timing,
    encode_payload,
    raw_commit,
)

SESSION, EPOCH, EXCHANGE = (uuid.UUID(int=number) for number in (1, 2, 3))
KEK = KeyEncryptionKey(b"k" * 32)
WRAPPED = KEK.wrap(strand_name(SESSION, EPOCH), b"d" * DATA_KEY_BYTES)
KEYS = [Message(WRAPPED.strand.encode(), WRAPPED.encode(), ())]
PLANTED = {item.name: item for item in plant(Random(5))}
SEARCH = Search(tuple(PLANTED.values()))


def _record(seq: int, previous: str, meta: Meta, body: bytes) -> tuple[Message, str]:
    payload = encode_payload(meta, body, salt=bytes(16))
    header = Header(
        uid=event_uid(SESSION, EPOCH, seq),
        type=EventType(meta.kind),
        ts="2026-01-02T03:04:05.000000000Z",
        session=SESSION,
        epoch=EPOCH,
        seq=seq,
        prev=previous,
        exchange=EXCHANGE,
        direction=Direction.RESPONSE,
        principal=Principal(id="a", kind=PrincipalKind.API_KEY),
        raw_commit=raw_commit(payload),
        raw_len=len(body),
    )
    canonical = header.canonical()
    value = seal(canonical, seq, payload, cipher=KEK.unwrap(WRAPPED))
    return Message(b"", value, ()), header_hash(canonical)


def _response(body: bytes) -> tuple[ResponseMeta, bytes]:
    meta = ResponseMeta(
        status=200,
        http_version="1.1",
        headers=(("set-cookie", f"s={PLANTED['set_cookie'].text}"),),
        origin="upstream",
        request=RequestLine(method="GET", target="/", upstream="http://x"),
        body=BodyTotals(length=len(body), sha256="0" * 64),
        timing=Timing(start=1, end=2),
    )
    return meta, body


def test_bodies_headers_chunks_and_streams_are_searched() -> None:
    """Each credential is found where only this reading finds it."""
    token = PLANTED["github_token"].text
    events = [
        f"data: {json.dumps({'index': 0, 'delta': {'text': token[at : at + 9]}})}\n\n"
        for at in range(0, 40, 9)
    ]
    stream = "".join(events).encode()
    half = len(stream) // 2
    messages, previous = [], GENESIS
    chunk = ChunkMeta(index=0, offset=0, sha256="0" * 64)
    parts: list[tuple[Meta, bytes]] = [
        (chunk, stream[:half]),
        (chunk.model_copy(update={"index": 1}), stream[half:]),
        _response(PLANTED["password"].text.encode()),
    ]
    for seq, (meta, body) in enumerate(parts):
        message, previous = _record(seq, previous, meta, body)
        messages.append(message)
    control = examine(messages, KEYS, SEARCH, KEK)
    assert control.recorded == {"github_token", "password", "set_cookie"}
    assert control.problems == ()
    assert not any(SEARCH.found(message.value) for message in messages)


def test_a_record_that_was_sent_twice_counts_once() -> None:
    """At least once is what the spool promises."""
    message, _ = _record(0, GENESIS, *_response(b""))
    assert examine([message, message], KEYS, SEARCH, KEK).problems == ()


def test_a_lost_record_breaks_the_chain() -> None:
    """The one after it says so."""
    _, first = _record(0, GENESIS, *_response(b"1"))
    second, _ = _record(1, first, *_response(b"2"))
    assert "chain of records is broken at 0" in examine([second], KEYS, SEARCH, KEK).problems[0]


def test_an_altered_record_does_not_open() -> None:
    """Nor does one whose key is missing."""
    message, _ = _record(0, GENESIS, *_response(b"1"))
    altered = Message(b"", message.value[:-1] + bytes([message.value[-1] ^ 1]), ())
    assert "1 raw records cannot be opened" in examine([altered], KEYS, SEARCH, KEK).problems[0]
    assert "1 raw records cannot be opened" in examine([message], [], SEARCH, KEK).problems[0]
