"""A boot's own strand: its certificate, its heartbeats, its end; all as whoever verifies them reads them."""

import base64
import itertools
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.ingress.recording.gateway import GATEWAY, HEARTBEAT_SECONDS, MAX_CLOSED, Gateway
from tachograph.ingress.recording.sessions import StrandHead
from tachograph.ingress.recording.strand import Sources, Strand
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.event import Principal, PrincipalKind, header_hash
from tachograph.schemas.heartbeat import MAX_ENDED, MAX_NAMED, gateway_session, heartbeat_message, signed_by
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey
from tachograph.schemas.note import NoteSigner, open_note
from tachograph.schemas.payload import (
    HeartbeatMeta,
    Meta,
    SessionCloseMeta,
    SessionOpenMeta,
    decode_payload,
)
from tachograph.schemas.topics import Topics

KEK = KeyEncryptionKey(b"k" * 32)
BOOT = uuid.UUID(int=7)
SIGNER = NoteSigner("tachograph/test/gateway", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
SEED = b"b" * 32


def make(session: uuid.UUID, principal: Principal) -> Strand:
    return Strand(
        session=session,
        epoch=uuid.UUID(int=1),
        principal=principal,
        topics=Topics(),
        sources=Sources(lambda: 0, bytes),
        data_key=b"d" * 32,
    )


def gateway(previous: uuid.UUID | None = None, ended: Sequence[uuid.UUID] = ()) -> Gateway:
    return Gateway(BOOT, SIGNER, make, lambda: 0, seed=SEED, previous=previous, ended=ended)


def wrapped(one: Gateway) -> WrappedKey:
    return KEK.wrap(one.strand.name, one.strand.data_key)


def told(one: Gateway, entry: SpoolEntry) -> Meta:
    return decode_payload(open_sealed(parse_sealed(entry.value), cipher=one.strand._cipher)).meta


def heads(count: int, *, is_open: bool = True) -> list[StrandHead]:
    return [
        StrandHead(uuid.UUID(int=number), uuid.UUID(int=1), number + 1, "a" * 64, is_open)
        for number in range(count)
    ]


def beats(one: Gateway, named: Sequence[StrandHead]) -> list[HeartbeatMeta]:
    found = [told(one, entry) for entry in one.beat(named)]
    return [meta for meta in found if isinstance(meta, HeartbeatMeta)]


def opened(one: Gateway) -> SessionOpenMeta:
    key, first = one.opening(wrapped(one), version="1", config_digest="c")
    assert key.topic == Topics().keys
    meta = told(one, first)
    assert isinstance(meta, SessionOpenMeta)
    return meta


@pytest.mark.parametrize("previous", [None, uuid.UUID(int=6)])
def test_a_boot_begins_with_its_certificate(previous: uuid.UUID | None) -> None:
    """The long-term key vouches for the boot, its key and the boot before it."""
    one = gateway(previous)
    meta = opened(one)
    assert one.strand.session == gateway_session(BOOT)
    assert one.strand.principal == GATEWAY
    assert GATEWAY.kind is PrincipalKind.GATEWAY
    assert meta.basis == "boot"
    assert meta.boot is not None
    assert (meta.boot.boot, meta.boot.previous) == (str(BOOT), None if previous is None else str(previous))
    assert open_note(meta.boot_note or "", [SIGNER.key]).text == meta.boot.text()
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
    assert base64.b64decode(meta.boot.key) == public


def test_a_boot_says_whose_spools_it_took_over() -> None:
    """Under the long-term key; as many as one certificate holds, and nothing where there was nobody."""
    over = [uuid.UUID(int=number) for number in range(MAX_ENDED + 1)]
    for ended in ([], over[:2], over):
        meta = opened(gateway(ended=ended))
        assert meta.boot is not None
        assert list(meta.boot.ended or ()) == [str(boot) for boot in ended[:MAX_ENDED]]
        assert open_note(meta.boot_note or "", [SIGNER.key]).text == meta.boot.text()


def test_a_heartbeat_is_signed_by_the_boot() -> None:
    """Over its canonical JSON; any other content does not fit."""
    one = gateway()
    key = opened(one).boot
    assert key is not None
    (meta,) = beats(one, heads(2))
    said = meta.heartbeat.model_dump(mode="json")
    assert signed_by(key.key, meta.signature, heartbeat_message(canonical_json(said)))
    assert not signed_by(key.key, meta.signature, heartbeat_message(canonical_json(said | {"number": 1})))


def test_a_heartbeat_names_its_own_strand_and_all_others() -> None:
    """Its own with the records before it; the others as they were told, whether open or closed."""
    one = gateway()
    _, first = one.opening(wrapped(one), version="1", config_digest="c")
    (meta,) = beats(one, [*heads(1), *heads(1, is_open=False)])
    own, open_, closed = meta.heartbeat.strands
    assert (own.session, own.records, own.open) == (str(one.strand.session), 1, True)
    assert own.head == header_hash(parse_sealed(first.value).header.canonical())
    assert (open_.open, closed.open) == (True, False)
    assert (open_.session, open_.records, open_.head) == (str(uuid.UUID(int=0)), 1, "a" * 64)
    assert meta.heartbeat.last


@pytest.mark.parametrize(
    ("strands", "records"), [(0, 1), (MAX_NAMED - 1, 1), (MAX_NAMED, 2), (2 * MAX_NAMED, 3)]
)
def test_many_strands_are_more_records(strands: int, records: int) -> None:
    """At most 500 in one; numbers go on, only the last says that it is the last, and none is left out."""
    one = gateway()
    opened(one)
    found = [meta.heartbeat for meta in beats(one, heads(strands))]
    assert [beat.number for beat in found] == list(range(records))
    assert [beat.last for beat in found] == [*[False] * (records - 1), True]
    assert all(len(beat.strands) <= MAX_NAMED for beat in found)
    named = list(itertools.chain.from_iterable(beat.strands[1:] for beat in found))
    assert [item.session for item in named] == [str(head.session) for head in heads(strands)]


def test_the_end_counts_and_names_the_record_before_it() -> None:
    """As every strand's close."""
    one = gateway()
    _, first = one.opening(wrapped(one), version="1", config_digest="c")
    meta: Any = told(one, one.close())
    digest = header_hash(parse_sealed(first.value).header.canonical())
    assert meta == SessionCloseMeta(records=2, reason="shutdown", last=digest)


def test_heartbeats_are_due_by_time_or_by_what_was_closed() -> None:
    """Every ten seconds from the first look on; earlier only where very many strands were closed."""
    one = gateway()
    assert not one.due(100.0, 0)
    assert not one.due(100.0 + HEARTBEAT_SECONDS - 0.1, MAX_CLOSED - 1)
    assert one.due(100.0 + HEARTBEAT_SECONDS, 0)
    assert not one.due(101.0 + HEARTBEAT_SECONDS, 0)
    assert one.due(101.0 + HEARTBEAT_SECONDS, MAX_CLOSED)


def test_the_key_shows_nowhere() -> None:
    """Neither the seed nor the strand's key is in the repr, and the seed is let go of."""
    one = gateway()
    assert "bbbb" not in repr(one)
    assert one.seed == b""
