"""Long bodies: put together whole, bounded by their own facts, and alike on every run, restarts included."""

import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tachograph.processors.assemble import TOO_LARGE, TOO_LONG, Assembler, Assembly, Piece, Ready
from tachograph.processors.ledger import Ledger
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.event import Direction
from tachograph.schemas.payload import decode_payload

HOLD_BYTES = 100
HOLD_SECONDS = 10.0


def assembler() -> Assembler:
    return Assembler(hold_bytes=HOLD_BYTES, hold_seconds=HOLD_SECONDS)


def pieces(strand: Any, records: Sequence[Any], first: int = 0) -> list[Piece]:
    """The records as they lie opened in a partition from offset `first` on."""
    opened = []
    for offset, record in enumerate(records, first):
        sealed = parse_sealed(record.value)
        payload = decode_payload(open_sealed(sealed, cipher=strand.cipher))
        opened.append(Piece(offset, sealed.header, payload.meta, payload.body))
    return opened


def test_a_record_alone_is_ready_at_once(new_strand: Callable[..., Any]) -> None:
    """A request or response without chunks waits for nothing."""
    strand = new_strand()
    for piece in pieces(strand, strand.exchange(b"question", b"answer")):
        assert assembler().take(piece) == Assembly((Ready(piece),))


def test_chunks_wait_for_their_end(new_strand: Callable[..., Any]) -> None:
    """Chunks are held; the record that closes them brings them all, in order."""
    strand = new_strand()
    first, second, end = pieces(
        strand, strand.chunked([b"data: a", b"bc\n\n"], exchange=strand.new_exchange())
    )
    under = assembler()
    held = under.take(first).held
    assert held is not None
    assert under.take(second).held is held
    closed = under.take(end)
    assert closed.ready == (Ready(end, (first, second)),)
    assert closed.released == (held,)
    assert under.held_bytes == 0


def test_both_directions_and_other_exchanges_do_not_mix(new_strand: Callable[..., Any]) -> None:
    """Bodies that grow at the same time stay apart."""
    strand = new_strand()
    one, two = strand.new_exchange(), strand.new_exchange()
    up = pieces(strand, strand.chunked([b"u1", b"u2"], exchange=one, direction=Direction.REQUEST))
    down = pieces(strand, strand.chunked([b"d1", b"d2"], exchange=one))
    other = pieces(strand, strand.chunked([b"o1", b"o2"], exchange=two))
    under = assembler()
    ready = [
        r for trio in zip(up, down, other, strict=True) for piece in trio for r in under.take(piece).ready
    ]
    assert [b"".join(chunk.body for chunk in r.chunks) for r in ready] == [b"u1u2", b"d1d2", b"o1o2"]


def test_a_body_past_its_bytes_is_released_withheld(new_strand: Callable[..., Any]) -> None:
    """Past the bound the held chunks go out withheld, and so does everything after them."""
    strand = new_strand()
    *chunks, end = pieces(
        strand, strand.chunked([b"x" * 60, b"y" * 60, b"z" * 60], exchange=strand.new_exchange())
    )
    under = assembler()
    held = under.take(chunks[0]).held
    over = under.take(chunks[1])
    assert over.ready == (Ready(chunks[0], withheld=TOO_LARGE), Ready(chunks[1], withheld=TOO_LARGE))
    assert over.released == (held,)
    assert under.take(chunks[2]).ready == (Ready(chunks[2], withheld=TOO_LARGE),)
    assert under.take(end).ready == (Ready(end, withheld=TOO_LARGE),)


def test_a_body_past_its_seconds_is_released_withheld(new_strand: Callable[..., Any]) -> None:
    """Time is the records' own: any later record of the partition ends a body that has lasted too long."""
    strand = new_strand()
    exchange = strand.new_exchange()
    first, second, end = pieces(strand, strand.chunked([b"one", b"two"], exchange=exchange))
    strand.clock_ns += int((HOLD_SECONDS + 1) * 1e9)
    (later,) = pieces(strand, [strand.open()], first=3)
    under = assembler()
    held = under.take(first).held
    late = under.take(later)
    assert late == Assembly((Ready(first, withheld=TOO_LONG), Ready(later)), released=(held,))
    assert under.take(second).ready == (Ready(second, withheld=TOO_LONG),)
    assert under.take(end).ready == (Ready(end, withheld=TOO_LONG),)


def test_nothing_is_joined_over_a_hole(new_strand: Callable[..., Any]) -> None:
    """A missing chunk withholds the whole body: a secret cut by the hole must not pass in halves."""
    strand = new_strand()
    first, _, third, end = pieces(
        strand, strand.chunked([b"sk-", b"sec", b"ret"], exchange=strand.new_exchange())
    )
    under = assembler()
    held = under.take(first).held
    broken = under.take(third)
    assert [(r.piece, r.withheld) for r in broken.ready] == [(first, "chunks-missing"), (third, TOO_LONG)]
    assert broken.released == (held,)
    assert under.take(end).ready == (Ready(end, withheld=TOO_LONG),)


def test_a_body_without_its_last_chunk_is_withheld(new_strand: Callable[..., Any]) -> None:
    """The closing record says how many chunks there are; fewer are not a body."""
    strand = new_strand()
    first, _, end = pieces(strand, strand.chunked([b"sk-", b"secret"], exchange=strand.new_exchange()))
    under = assembler()
    under.take(first)
    assert [r.withheld for r in under.take(end).ready] == ["chunks-missing", TOO_LONG]


def test_a_record_twice_is_taken_once(new_strand: Callable[..., Any]) -> None:
    """The spool may produce a record again after a crash: it is neither joined nor emitted twice."""
    strand = new_strand()
    first, second, end = pieces(strand, strand.chunked([b"a", b"b"], exchange=strand.new_exchange()))
    under = assembler()
    taken = [under.take(piece) for piece in (first, first, second, second, end, end, first, second, end)]
    assert [len(step.ready) for step in taken] == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert taken[4].ready[0].chunks == (first, second)


# ---- restarts ----------------------------------------------------------------------------------------------

Document = tuple[uuid.UUID, str | None, bytes]


def documents(assembly: Assembly) -> Iterator[Document]:
    """What a perfect masker would make of it: uid, reason, text."""
    for ready in assembly.ready:
        text = b"".join(piece.body for piece in ready.chunks) or ready.piece.body
        yield ready.piece.header.uid, ready.withheld, b"" if ready.withheld else text
        for chunk in ready.chunks:
            yield chunk.header.uid, None, chunk.body


@pytest.fixture
def new_partition(new_strand: Callable[..., Any]) -> Callable[[int, int], list[Piece]]:
    """Several strands' exchanges interleaved: small ones, streams, too long, too large, and never closed."""

    def partition(seed: int, size: int) -> list[Piece]:
        rng = random.Random(seed)
        strands = [new_strand() for _ in range(3)]
        lines = [_line(strands[rng.randrange(3)], rng) for _ in range(size)]
        opened: list[Piece] = []
        while lines:
            line = rng.choice(lines[:4])  # up to four at a time
            strand, record = line.pop(0)
            opened += pieces(strand, [record], first=len(opened))
            lines = [line for line in lines if line]
        return opened

    return partition


def _line(strand: Any, rng: random.Random) -> list[tuple[Any, Any]]:
    kind = rng.randrange(5)
    body = [rng.randbytes(rng.choice((5, 5, 45))) for _ in range(rng.randrange(1, 6))]
    strand.clock_ns += rng.choice((0, 10**9, 4 * 10**9))
    if kind == 0:
        return [(strand, record) for record in strand.exchange(b"q", b"a")]
    records = strand.chunked(body, exchange=strand.new_exchange())
    return [(strand, record) for record in (records[:-1] if kind == 1 else records)]


class Run:
    """A worker over one partition, with a broker that acknowledges when it is told to."""

    def __init__(self, resume: int, done: int) -> None:
        self.ledger = Ledger(resume, done)
        self.assembler = assembler()
        self.sent: list[tuple[Any, Document]] = []
        self.delivered: list[Document] = []

    def take(self, piece: Piece) -> None:
        ticket = self.ledger.begin(piece.offset)
        assembly = self.assembler.take(piece)
        if assembly.held is not None:
            self.ledger.hold(assembly.held, piece.offset)
        if piece.offset >= self.ledger.replayed_until:
            for document in documents(assembly):
                ticket.sent()
                self.sent.append((ticket, document))
        ticket.close(assembly.released)

    def deliver(self, count: int) -> None:
        for ticket, document in self.sent[:count]:
            self.delivered.append(document)
            ticket.delivered()
        del self.sent[:count]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 2**32), size=st.integers(1, 14), crashes=st.lists(st.integers(0, 2**32), max_size=4)
)
def test_a_restart_anywhere_loses_nothing_and_says_nothing_else(
    new_partition: Callable[..., list[Piece]], seed: int, size: int, crashes: list[int]
) -> None:
    """However often it is killed: every document comes out, and each always with the same content."""
    log = new_partition(seed, size)
    clean = Run(0, 0)
    for piece in log:
        clean.take(piece)
    clean.deliver(len(clean.sent))
    expected = {uid: (reason, text) for uid, reason, text in clean.delivered}

    delivered: list[Document] = []
    mark = (0, 0)
    for crash in crashes:
        mark, got = _until_killed(log, mark, random.Random(crash))
        delivered += got
    last = Run(*mark)
    for piece in log[mark[0] :]:
        last.take(piece)
    last.deliver(len(last.sent))
    delivered += last.delivered

    assert {uid for uid, _, _ in delivered} == set(expected)
    assert all(expected[uid] == (reason, text) for uid, reason, text in delivered)


def _until_killed(
    log: list[Piece], mark: tuple[int, int], rng: random.Random
) -> tuple[tuple[int, int], list[Document]]:
    """Work for a while, commit now and then, and die: what was sent may or may not have been delivered."""
    run = Run(*mark)
    for piece in log[mark[0] : rng.randint(mark[0], len(log))]:
        run.take(piece)
        run.deliver(rng.randrange(4))
        if rng.random() < 0.3:
            mark = (run.ledger.resume, run.ledger.done)
    run.deliver(rng.randrange(len(run.sent) + 1))
    return mark, run.delivered
