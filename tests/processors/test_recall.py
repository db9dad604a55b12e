"""A request is read again from the real broker, exactly as it was, wherever it lies before its answer."""

import time
from typing import Any

import pytest

from tachograph.processors import recall as module
from tachograph.processors.assemble import Assembler, Piece, Ready
from tachograph.processors.errors import BrokerFault, KeyMissing
from tachograph.processors.lanes import Place
from tachograph.processors.recall import Recall
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.event import Direction
from tachograph.schemas.payload import decode_payload

pytestmark = pytest.mark.engines


def recall(site: Any, strand: Any) -> Recall:
    return Recall(
        {"bootstrap.servers": site.bootstrap},
        lambda _: strand.cipher,
        lambda: Assembler(hold_bytes=1 << 20, hold_seconds=10),
    )


def opened(strand: Any, record: Any, offset: int) -> Piece:
    sealed = parse_sealed(record.value)
    payload = decode_payload(open_sealed(sealed, cipher=strand.cipher))
    return Piece(offset, sealed.header, payload.meta, payload.body)


def asked(site: Any, strand: Any, records: list[Any]) -> tuple[Recall, Place, Piece]:
    """The records on the topic, and the last of them as the answer whose request is wanted."""
    site.publish(records)
    (first, *_) = site.read(site.topics.raw, lambda got: len(got) >= len(records))
    place = Place(site.topics.raw, first.partition())
    return recall(site, strand), place, opened(strand, records[-1], len(records) - 1)


def body(ready: Ready | None) -> bytes:
    assert ready is not None
    return b"".join(piece.body for piece in (*ready.chunks, ready.piece))


def test_the_request_is_found_among_others(site: Any) -> None:
    """Of the same session, before and after it; and again for the same answer."""
    strand = site.strand()
    one, two = strand.exchange(b"first", b"1"), strand.exchange(b"second", b"2")
    read, place, answer = asked(site, strand, [strand.open(), one[0], two[0], one[1], two[1]])
    assert body(read(place, answer)) == b"second"
    assert body(read(place, answer)) == b"second"
    read.close()


def test_a_request_in_pieces_is_put_together(site: Any) -> None:
    """Between the pieces of others, and with those that Kafka holds twice."""
    strand = site.strand()
    exchange, other = strand.new_exchange(), strand.new_exchange()
    pieces = strand.chunked([b"Zq9P", b"foo", b"77"], exchange=exchange, direction=Direction.REQUEST)
    others = strand.chunked([b"no", b"no"], exchange=other, direction=Direction.REQUEST)
    answer = strand.response(b"", exchange=exchange)
    records = [pieces[0], others[0], pieces[1], pieces[1], others[1], *pieces[2:], others[2], answer]
    read, place, wanted = asked(site, strand, records)
    assert body(read(place, wanted)) == b"Zq9Pfoo77"
    read.close()


def test_a_body_that_waited_too_long_is_withheld_again(site: Any) -> None:
    """By the time of whatever record came between, as on the first run."""
    strand = site.strand()
    exchange = strand.new_exchange()
    pieces = strand.chunked([b"Zq9P", b"foo77"], exchange=exchange, direction=Direction.REQUEST)
    strand.clock_ns += 11_000_000_000
    between = strand.open()
    strand.clock_ns -= 11_000_000_000
    answer = strand.response(b"", exchange=exchange)
    read, place, wanted = asked(site, strand, [pieces[0], between, *pieces[1:], answer])
    ready = read(place, wanted)
    assert ready is not None
    assert ready.withheld == "stream-too-long"
    read.close()


def test_what_is_not_there_is_not_found(site: Any) -> None:
    """No request, one that does not open, or one that only comes after its answer."""
    strand = site.strand()
    request, answer = strand.exchange(b"q", b"a")
    lost = strand.response(b"a", exchange=strand.new_exchange())
    read, place, wanted = asked(site, strand, [strand.open(), answer, request, lost])
    assert read(place, wanted) is None
    assert read(place, opened(strand, answer, 1)) is None

    def missing(name: str) -> Any:
        raise KeyMissing(name)

    blind = Recall(
        {"bootstrap.servers": site.bootstrap}, missing, lambda: Assembler(hold_bytes=9, hold_seconds=9)
    )
    assert blind(place, opened(strand, answer, 3)) is None
    read.close()
    blind.close()


def test_an_exchange_that_began_in_the_future_is_found(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock was set back in between: Kafka has nothing as late as that, so what lies before is read."""
    strand = site.strand(clock_ns=time.time_ns())
    request, answer = strand.exchange(b"q", b"a")
    meta = answer_meta(strand, answer, start=time.time_ns() + 3_600_000_000_000)
    read, place, wanted = asked(site, strand, [request, answer])
    assert body(read(place, Piece(1, wanted.header, meta, b""))) == b"q"
    monkeypatch.setattr(module, "REACH", 0)
    assert read(place, Piece(1, wanted.header, meta, b"")) is None
    read.close()


def answer_meta(strand: Any, record: Any, *, start: int) -> Any:
    meta = opened(strand, record, 0).meta
    timing = meta.timing.model_copy(update={"start": start})  # type: ignore[union-attr]
    return meta.model_copy(update={"timing": timing})


def test_a_broker_that_says_nothing_is_a_fault(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound; the worker ends by it and a restart asks again."""
    monkeypatch.setattr(module, "ASK_S", 0.2)
    strand = site.strand()
    answer = strand.response(b"a", exchange=strand.new_exchange())
    site.publish([answer])
    read = recall(site, strand)
    partition = site.read(site.topics.raw, lambda got: len(got) == 1)[0].partition()
    place = Place(site.topics.raw, partition)
    with pytest.raises(BrokerFault):
        read(place, opened(strand, answer, 7))
    read.close()
    away = Recall({"bootstrap.servers": "127.0.0.1:1"}, lambda _: strand.cipher, Any)
    with pytest.raises(BrokerFault):
        away(place, opened(strand, answer, 7))
    away.close()
