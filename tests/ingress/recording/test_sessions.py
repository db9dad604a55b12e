"""Which requests share a session, and when strands are opened and closed."""

import itertools
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.identity.authenticator import ANONYMOUS
from tachograph.ingress.recording.claims import NO_CLAIMS, Claims
from tachograph.ingress.recording.sessions import MAX_STRAND_SECONDS, SessionNamer, StrandHead, Strands
from tachograph.ingress.recording.strand import Sources, Strand
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.event import Agent, Principal, PrincipalKind, Trace
from tachograph.schemas.keys import KeyEncryptionKey
from tachograph.schemas.payload import SessionCloseMeta, SessionOpenMeta, decode_payload
from tachograph.schemas.topics import Topics

KEK = KeyEncryptionKey(b"k" * 32)
NAMER = SessionNamer(KEK)
BOT = Principal(id="bot", kind=PrincipalKind.API_KEY)
OTHER = Principal(id="other", kind=PrincipalKind.API_KEY)
HELPED = Principal(id="bot", kind=PrincipalKind.API_KEY, actors=("helper",))
TRACE = Trace(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
SAME_TRACE = Trace(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-00")
DAY = 86_400 * 10**9


def claimed(session: str | None, trace: Trace | None = None) -> Claims:
    return Claims(Agent(session=session), trace)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((BOT, claimed("a"), 0), (BOT, claimed("a", TRACE), 5 * DAY), True),
        ((BOT, claimed("a"), 0), (BOT, claimed("b"), 0), False),
        ((BOT, claimed("a"), 0), (OTHER, claimed("a"), 0), False),
        ((BOT, claimed(None, TRACE), 0), (BOT, claimed(None, SAME_TRACE), 5 * DAY), True),
        ((BOT, claimed(None, TRACE), 0), (OTHER, claimed(None, TRACE), 0), False),
        ((BOT, NO_CLAIMS, 0), (BOT, NO_CLAIMS, DAY - 1), True),
        ((BOT, NO_CLAIMS, 0), (BOT, NO_CLAIMS, DAY), False),
        ((BOT, NO_CLAIMS, 0), (OTHER, NO_CLAIMS, 0), False),
        ((BOT, NO_CLAIMS, 0), (HELPED, NO_CLAIMS, 0), False),
        ((HELPED, NO_CLAIMS, 0), (HELPED, NO_CLAIMS, 0), True),
        ((BOT, claimed("1970-01-01"), 0), (BOT, NO_CLAIMS, 0), False),
        ((ANONYMOUS, claimed("a"), 0), (ANONYMOUS, claimed("b", TRACE), 0), True),
    ],
    ids=[
        "claim", "another claim", "another's claim", "trace", "another's trace", "same day", "next day",
        "another principal", "somebody acts for it", "the same actor",
        "a claim that looks like a day", "nobody opens sessions at will",
    ],
)  # fmt: skip
def test_what_makes_a_session(one: Any, other: Any, *, same: bool) -> None:
    """The principal together with its claim, else its trace, else the UTC day."""
    first = NAMER.name(one[0], one[1], started_ns=one[2])[0]
    assert (first == NAMER.name(other[0], other[1], started_ns=other[2])[0]) is same


@given(st.text(min_size=1, max_size=64), st.integers(0, 2**60))
def test_all_workers_agree_and_strangers_cannot_tell(claim: str, moment: int) -> None:
    """The same key gives the same id of version 8; another key another one."""
    name, basis = NAMER.name(BOT, claimed(claim), started_ns=moment)
    assert (name, basis) == SessionNamer(KeyEncryptionKey(b"k" * 32)).name(BOT, claimed(claim), started_ns=0)
    assert (name.version, name.variant) == (8, uuid.RFC_4122)
    assert name != SessionNamer(KeyEncryptionKey(b"o" * 32)).name(BOT, claimed(claim), started_ns=0)[0]


class World:
    """A table of strands and what it writes, opened."""

    def __init__(self, **changes: Any) -> None:
        numbers = itertools.count(1)
        self.made: list[Strand] = []
        self.records: list[tuple[str, Any]] = []
        self.registries: list[str | None] = []

        def make(session: uuid.UUID, principal: Principal) -> Strand:
            strand = Strand(
                session=session,
                epoch=uuid.UUID(int=next(numbers)),
                principal=principal,
                topics=Topics(),
                sources=Sources(lambda: 0, bytes),
                data_key=b"d" * 32,
            )
            self.made.append(strand)
            return strand

        settings = {"version": "1", "config_digest": "c", "idle_seconds": 100.0} | changes
        self.make = make
        self.strands = Strands(**settings)

    def hold(self, session: int, now: float, registry: str | None = None) -> Any:
        name = uuid.UUID(int=session)
        held = self.strands.hold(name, now=now, registry=registry)
        if held is None:
            strand = self.make(name, BOT)
            wrapped = KEK.wrap(strand.name, strand.data_key)
            self.keep(self.strands.begin(strand, wrapped, "claimed", now=now, registry=registry))
            held = self.strands.hold(name, now=now, registry=registry)
        assert held is not None
        return held

    def keep(self, entries: Any) -> None:
        self.records += [self.opened(entry) for entry in entries]

    def opened(self, entry: SpoolEntry) -> tuple[str, Any]:
        if entry.topic.endswith(".keys"):
            return "key", entry.key
        sealed = parse_sealed(entry.value)
        self.registries.append(sealed.header.registry)
        strand = next(strand for strand in self.made if strand.epoch == sealed.header.epoch)
        return sealed.header.type.value, decode_payload(open_sealed(sealed, cipher=strand._cipher)).meta

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.records]


def test_a_strand_begins_with_its_key_and_its_opening() -> None:
    """The wrapped key goes ahead of `session.open`, which says by what the session was recognised."""
    world = World()
    world.hold(1, now=0)
    world.hold(1, now=1)
    assert world.kinds == ["key", "session.open"]
    assert world.records[1][1] == SessionOpenMeta(version="1", config_digest="c", basis="claimed")


def test_an_idle_strand_is_closed_with_its_count() -> None:
    """The close counts all records, itself included; a session that comes back gets a new strand."""
    world = World()
    held = world.hold(1, now=0)
    world.keep(world.strands.release(held, now=10))
    world.keep(world.strands.sweep(now=109))
    assert world.kinds == ["key", "session.open"]
    head = held.strand.last
    world.keep(world.strands.sweep(now=110))
    assert world.records[-1] == ("session.close", SessionCloseMeta(records=2, reason="idle", last=head))
    assert world.hold(1, now=111).strand is not held.strand


def test_a_strand_names_the_registry_of_its_last_exchange() -> None:
    """Its own records are masked by the rules that were in force then."""
    world = World()
    for number, registry in enumerate(("a" * 16, "b" * 16)):
        world.strands.release(world.hold(1, now=0, registry=registry), now=0)
        assert world.registries == ["a" * 16], number
    assert [parse_sealed(entry.value).header.registry for entry in world.strands.close()] == ["b" * 16]


def test_a_strand_in_use_is_never_idle() -> None:
    """A long answer keeps its session open."""
    world = World()
    world.hold(1, now=0)
    world.keep(world.strands.sweep(now=10_000))
    assert world.kinds == ["key", "session.open"]


def test_the_quietest_strand_makes_room() -> None:
    """Beyond the limit the one that was untouched for longest is closed; those in use are kept."""
    world = World(limit=3)
    busy = world.hold(1, now=0)
    for session in (2, 3):
        world.strands.release(world.hold(session, now=session), now=session)
    world.hold(4, now=4)
    assert world.kinds == ["key", "session.open"] * 3 + ["session.close", "key", "session.open"]
    assert len(world.strands) == 3
    assert world.hold(1, now=5) is busy


def test_when_all_are_in_use_the_limit_gives_way() -> None:
    """No exchange loses its strand; the number of connections is the bound then."""
    world = World(limit=2)
    for session in range(5):
        world.hold(session, now=0)
    assert len(world.strands) == 5
    assert "session.close" not in world.kinds


def test_a_worn_strand_is_followed_by_another_and_closed_after_its_last_exchange() -> None:
    """A data key serves a day: later exchanges get a new one, the old strand ends when nobody holds it."""
    world = World()
    old = world.hold(1, now=0)
    new = world.hold(1, now=MAX_STRAND_SECONDS)
    assert new.strand is not old.strand
    assert world.kinds == ["key", "session.open"] * 2
    world.keep(world.strands.release(old, now=MAX_STRAND_SECONDS))
    assert world.kinds[-1] == "session.close"
    assert len(world.strands) == 1


def test_a_shutdown_closes_every_strand_once() -> None:
    """Those in use and those retired as well."""
    world = World()
    world.hold(1, now=0)
    world.hold(1, now=MAX_STRAND_SECONDS)
    world.hold(2, now=0)
    heads = {strand.last for strand in world.made}
    world.keep(world.strands.close())
    closes = [meta for kind, meta in world.records if kind == "session.close"]
    assert {meta.last for meta in closes} == heads
    assert {(meta.records, meta.reason) for meta in closes} == {(2, "shutdown")}
    assert len(closes) == 3
    assert len(world.strands) == 0


def test_the_heads_are_those_closed_since_the_last_time_and_those_open() -> None:
    """Each with its count and the hash of its last header; closed ones are named once."""
    world = World(tell_closed=True)
    idle = world.hold(1, now=0)
    world.strands.release(idle, now=0)
    busy = world.hold(2, now=0)
    world.keep(world.strands.sweep(now=200))
    assert world.strands.closed == 1
    closed, open_ = world.strands.heads()
    assert closed == StrandHead(uuid.UUID(int=1), idle.strand.epoch, 2, idle.strand.last, open=False)
    assert open_ == StrandHead(uuid.UUID(int=2), busy.strand.epoch, 1, busy.strand.last, open=True)
    assert world.strands.heads() == [open_]
    assert world.strands.closed == 0


def test_nobody_keeps_closed_strands_where_nobody_asks() -> None:
    """Without heartbeats the list would only grow."""
    world = World()
    world.strands.release(world.hold(1, now=0), now=0)
    world.keep(world.strands.sweep(now=200))
    assert world.strands.closed == 0
    assert world.strands.heads() == []
