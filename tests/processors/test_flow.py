"""The flow: each record is finished by its delivery or by its dead letter, and by nothing else."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.credentials.errors import VaultDown
from tachograph.processors import flow as flow_module
from tachograph.processors import key_waits
from tachograph.processors.assemble import Assembler, Piece, Ready
from tachograph.processors.attempts import Attempts
from tachograph.processors.deadletter import Budget
from tachograph.processors.errors import BrokerFault, DeadLetterFlood
from tachograph.processors.faults import Faults
from tachograph.processors.flow import Flow, FlowParts
from tachograph.processors.gaps import Gap
from tachograph.processors.keys_cache import KeyTable
from tachograph.processors.lanes import Lanes, Mark, Place
from tachograph.processors.ledger import Ticket
from tachograph.processors.masking.carried import NOTHING, Carried, Secret
from tachograph.processors.metrics import Metrics
from tachograph.processors.pipeline import Pipeline, Told
from tachograph.processors.record import Emitted
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.escrow import EscrowRecord, Taken, open_share, open_value, seal_taken
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey
from tachograph.schemas.payload import decode_payload
from tachograph.schemas.topics import Topics

PLACE = Place("t.raw", 0)


@dataclass
class Message:
    """As Faust gives it."""

    offset: int
    value: bytes | None
    generation_id: int | None = 1
    topic: str = "t.raw"
    partition: int = 0
    timestamp: float = 1.0
    key: bytes | None = b"key"


class Sent:
    """Keeps what was sent; delivers when it is told to."""

    def __init__(self) -> None:
        self.messages: list[tuple[Ticket, str, bytes | None, bytes | None, dict[str, Any]]] = []

    def send(self, ticket: Ticket, topic: str, key: bytes | None, value: bytes | None, headers: Any) -> None:
        ticket.sent()
        self.messages.append((ticket, topic, key, value, dict(headers)))

    async def room(self) -> None: ...

    def deliver(self) -> None:
        for ticket, *_ in self.messages:
            ticket.delivered()


class Keys:
    """A keys topic that is read to its end whenever it is asked."""

    def __init__(self, table: KeyTable, *, readable: bool = True) -> None:
        self.table, self.readable = table, readable

    def ask(self) -> Callable[[], bool]:
        return lambda: self.readable


class Bench:
    """A flow on a partition, its surroundings in memory."""

    def __init__(
        self, kek: KeyEncryptionKey, home: Path, *, mark: Mark | None = None, limit: int = 5
    ) -> None:
        self.sent = Sent()
        self.keys = Keys(KeyTable(kek))
        self.metrics = Metrics()
        self.gap = Gap(0, 0)
        self.stop: object | None = None
        self.pipeline = _Telling()
        self.recalled: Ready | None = None
        self.asked: list[int] = []
        self.lanes = Lanes(lambda: Assembler(hold_bytes=1000, hold_seconds=10))
        self.lanes.assign(1, {PLACE: mark or Mark(0, 0)})
        self.attempts = Attempts(home, slot=0)
        self.parts = FlowParts(
            topics=Topics("t"),
            lanes=self.lanes,
            keys=self.keys,  # type: ignore[arg-type]
            pipeline=self.pipeline,
            publisher=self.sent,  # type: ignore[arg-type]
            budget=Budget(home / "count.json", clock=lambda: 0.0, limit=limit),
            metrics=self.metrics,
            look_into=lambda place, expected: self.gap,
            recall=self.recall,
            stopped=lambda _: self.stop,
            attempts=self.attempts,
            faults=Faults(),
        )
        self.flow = Flow(self.parts)

    def recall(self, place: Place, answer: Piece) -> Ready | None:
        assert place == PLACE
        self.asked.append(answer.offset)
        return self.recalled

    @property
    def lane(self) -> Any:
        return self.lanes.find(PLACE, 1)

    def put(self, strand: Any) -> None:
        self.keys.table.put(strand.wrapped.strand, strand.wrapped.encode())

    async def take(self, *records: Any, first: int = 0) -> None:
        for offset, record in enumerate(records, first):
            await self.flow.take(Message(offset, record.value))

    def topics(self) -> list[str]:
        return [topic for _, topic, *_ in self.sent.messages]


class _Telling(Pipeline):
    """Tells the uid of each record; two conversation messages for a request."""

    def __init__(self) -> None:
        self.by: dict[uuid.UUID, Carried] = {}
        """What each record was masked by."""
        self.withheld: dict[uuid.UUID, str | None] = {}
        self.taken: tuple[bytes, ...] = ()

    def run(self, ready: Any, *, known: Any = (), carried: Carried = NOTHING) -> Told:
        header = ready.piece.header
        self.withheld[header.uid] = ready.withheld
        kinds = [header.type.value] + (["message"] * 2 if header.type == "request" else [])
        self.by[header.uid] = carried
        events = tuple(
            Emitted(
                header.session if kind == "message" else header.uid, header.session, kind, "2026.11.23", b"{}"
            )
            for kind in kinds
        )
        taken = (Taken(str(header.session), str(header.uid), b"k", self.taken),) if self.taken else ()
        return Told(events, self.carried(ready), taken)

    def carried(self, ready: Any) -> Carried:
        return Carried((Secret("rule", "PASSWORD", 60, ready.piece.body),))


@pytest.fixture
def bench(kek: KeyEncryptionKey, tmp_path: Path) -> Bench:
    return Bench(kek, tmp_path)


async def test_an_event_is_sent_with_its_routing(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """Key is the session, headers say uid, type, day and content type."""
    strand = new_strand()
    bench.put(strand)
    record = strand.open()
    await bench.take(record)
    ((_, topic, key, value, headers),) = bench.sent.messages
    assert (topic, key, value) == ("t.masked", str(strand.session).encode(), b"{}")
    assert headers == {
        "uid": str(record.header.uid),
        "type": "session.open",
        "day": "2026.11.23",
        "content-type": "application/json",
    }


async def test_a_record_waits_for_what_opens_its_key(
    tmp_path: Path, new_strand: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key provider that is away costs no record: none is passed over, put aside or committed meanwhile."""
    monkeypatch.setattr(key_waits, "FIRST_PAUSE_S", 0.001)

    class Elsewhere(KeyEncryptionKey):
        local, asked = False, 0

        def unwrap(self, key: WrappedKey) -> AESGCM:
            self.asked += 1
            if self.asked < 4:
                assert bench.lane.ledger.resume == 0
                assert bench.sent.messages == []
                raise VaultDown("away")
            return super().unwrap(key)

    keys, strand = Elsewhere(bytes(range(32))), new_strand()
    bench = Bench(keys, tmp_path)
    bench.put(strand)
    await bench.take(strand.open(), strand.open())
    assert [message[1] for message in bench.sent.messages] == ["t.masked"] * 2
    assert keys.asked == 4
    bench.sent.deliver()
    assert bench.lane.ledger.resume == 2


async def test_only_delivery_moves_the_commit(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """Before Kafka has acknowledged the event its record may not be committed."""
    strand = new_strand()
    bench.put(strand)
    await bench.take(strand.open(), strand.open())
    assert bench.lane.ledger.resume == 0
    bench.sent.deliver()
    assert bench.lane.ledger.resume == 2


async def test_a_commit_waits_for_the_escrow_too(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """What was taken out is sealed and sent under its record's ticket, on the escrow's topic alone."""
    strand = new_strand()
    bench.put(strand)
    holders = [X25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2)]
    one, other = (key.public_key() for key in holders)
    bench.flow = Flow(
        replace(bench.parts, escrow=partial(seal_taken, holders=(one, other), randomness=bytes))
    )
    bench.pipeline.taken = (b"hunter2",)
    await bench.take(strand.open())
    topics = bench.topics()
    assert topics == ["t.masked", "t.escrow"]
    (_, _, key, value, _) = bench.sent.messages[1]
    record = EscrowRecord.decode(value or b"")
    assert key == record.name
    assert open_value(record, [open_share(record, 0, holder) for holder in holders])[1] == b"hunter2"
    bench.sent.messages[0][0].delivered()
    assert bench.lane.ledger.resume == 0
    bench.sent.messages[1][0].delivered()
    assert bench.lane.ledger.resume == 1


async def test_without_holders_nothing_is_escrowed(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """The value is gone with the record, as ever."""
    strand = new_strand()
    bench.put(strand)
    bench.pipeline.taken = (b"hunter2",)
    await bench.take(strand.open())
    assert bench.topics() == ["t.masked"]


async def test_a_message_document_is_sent_once(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """The same conversation message of a later request is not emitted again."""
    strand = new_strand()
    bench.put(strand)
    await bench.take(*[strand.request(b"", exchange=strand.new_exchange()) for _ in range(3)])
    kinds = [headers["type"] for *_, headers in bench.sent.messages]
    assert kinds == ["request", "message", "request", "request"]


async def test_a_new_owner_sends_messages_again(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """What was sent under an assignment that ended may not have been delivered: nobody relies on it."""
    strand = new_strand()
    bench.put(strand)
    await bench.take(strand.request(b"a", exchange=strand.new_exchange()))
    bench.lanes.assign(2, {PLACE: Mark(1, 1)})
    second = strand.request(b"b", exchange=strand.new_exchange())
    await bench.flow.take(Message(1, second.value, generation_id=2))
    kinds = [headers["type"] for *_, headers in bench.sent.messages]
    assert kinds == ["request", "message"] * 2


async def test_poison_goes_to_the_dead_letter_as_it_came(
    bench: Bench, new_strand: Callable[..., Any]
) -> None:
    """Its bytes unchanged, its reason beside it, counted; and its commit waits for that delivery."""
    await bench.flow.take(Message(0, b"garbage"))
    ((_, topic, key, value, headers),) = bench.sent.messages
    assert (topic, key, value, headers["reason"]) == ("t.deadletter", b"key", b"garbage", "malformed")
    assert bench.lane.ledger.resume == 0
    bench.sent.deliver()
    assert bench.lane.ledger.resume == 1
    counted = bench.metrics.registry.get_sample_value(
        "tacho_processor_dead_letters_total", {"reason": "malformed"}
    )
    assert counted == 1


async def test_too_much_poison_raises(kek: KeyEncryptionKey, tmp_path: Path) -> None:
    """The flow does not go on past the budget: whoever runs it ends the process."""
    bench = Bench(kek, tmp_path, limit=2)
    for offset in range(2):
        await bench.flow.take(Message(offset, b"garbage"))
    with pytest.raises(DeadLetterFlood):
        await bench.flow.take(Message(2, b"garbage"))
    assert len(bench.sent.messages) == 2


async def test_another_generation_and_seen_offsets_are_left_alone(
    bench: Bench, new_strand: Callable[..., Any]
) -> None:
    """A record from before a rebalance, or read twice, is neither sent nor finished."""
    strand = new_strand()
    bench.put(strand)
    await bench.flow.take(Message(0, strand.open().value, generation_id=7))
    assert bench.sent.messages == []
    await bench.take(strand.open())
    await bench.take(strand.open())
    assert len(bench.sent.messages) == 1


async def test_a_restart_reads_again_without_telling_again(
    kek: KeyEncryptionKey, tmp_path: Path, new_strand: Callable[..., Any]
) -> None:
    """Below `done` nothing is told, poison neither, but chunks are held for the end still to come."""
    strand = new_strand()
    bench = Bench(kek, tmp_path, mark=Mark(0, 3))
    bench.put(strand)
    *chunks, end = strand.chunked([b"a"], exchange=strand.new_exchange())
    await bench.take(*chunks, strand.open())
    await bench.flow.take(Message(2, b"garbage"))
    assert bench.sent.messages == []
    await bench.take(end, first=3)
    assert [headers["uid"] for *_, headers in bench.sent.messages] == [str(end.header.uid)]
    bench.sent.deliver()
    assert (bench.lane.ledger.resume, bench.lane.ledger.done) == (4, 4)


async def test_a_key_that_comes_late_is_waited_for(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """The record is processed as soon as its key is there."""
    strand = new_strand()
    taking = asyncio.ensure_future(bench.take(strand.open()))
    await asyncio.sleep(0)
    assert not taking.done()
    bench.put(strand)
    async with asyncio.timeout(10):
        await taking
    assert bench.topics() == ["t.masked"]


async def test_a_key_that_does_not_come_is_given_up_once(
    bench: Bench, new_strand: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the bound, with the topic read to its end; the strand's next record does not wait again."""
    monkeypatch.setattr(flow_module, "KEY_WAIT_S", 0.1)
    strand = new_strand()
    await bench.take(strand.open(), strand.open())
    assert [headers["reason"] for *_, headers in bench.sent.messages] == ["key-unavailable"] * 2
    assert bench.metrics.registry.get_sample_value("tacho_processor_key_waits_total") == 1
    bench.put(strand)
    await bench.take(strand.open(), first=2)
    assert bench.topics()[-1] == "t.masked"


async def test_unreadable_keys_are_not_the_records_fault(
    bench: Bench, new_strand: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the keys topic cannot be read nothing is dead-lettered; past its bound the process ends."""
    monkeypatch.setattr(flow_module, "KEY_WAIT_S", 0.05)
    monkeypatch.setattr(flow_module, "KEYS_OUTAGE_S", 0.2)
    bench.keys.readable = False
    with pytest.raises(BrokerFault, match="unreadable"):
        await bench.take(new_strand().open())
    assert bench.sent.messages == []


async def test_expired_records_are_counted_and_passed(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """Records that retention deleted unread are told with their number, and the rest goes on."""
    strand = new_strand()
    bench.put(strand)
    bench.gap = Gap(first=5, expired=5)
    await bench.take(strand.open(), first=5)
    assert bench.metrics.registry.get_sample_value("tacho_processor_raw_lost_total") == 5
    bench.sent.deliver()
    assert bench.lane.ledger.resume == 6


async def test_records_left_out_end_the_process(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """A record that Kafka has and we were not given is never passed over."""
    strand = new_strand()
    bench.put(strand)
    bench.gap = Gap(first=3, expired=0)
    with pytest.raises(BrokerFault, match="left records out"):
        await bench.take(strand.open(), first=5)
    assert bench.lane.ledger.next_offset == 0


async def test_an_answer_is_masked_by_what_its_request_held(
    bench: Bench, new_strand: Callable[..., Any]
) -> None:
    """From memory, which forgets it then; nothing is read again."""
    strand = new_strand()
    bench.put(strand)
    request, answer = strand.exchange(b"Zq9Pfoo77", b"I set it")
    await bench.take(request)
    assert len(bench.lane.exchanges) == 1
    await bench.take(answer, first=1)
    assert [secret.value for secret in bench.pipeline.by[answer.header.uid].secrets] == [b"Zq9Pfoo77"]
    assert (len(bench.lane.exchanges), bench.asked) == (0, [])


async def test_a_request_that_is_not_remembered_is_read_again(
    bench: Bench, new_strand: Callable[..., Any]
) -> None:
    """A restart, another owner, or the same answer twice: the raw topic has what it held."""
    strand = new_strand()
    bench.put(strand)
    request, answer = strand.exchange(b"Zq9Pfoo77", b"I set it")
    sealed = parse_sealed(request.value)
    payload = decode_payload(open_sealed(sealed, cipher=strand.cipher))
    bench.recalled = Ready(Piece(0, sealed.header, payload.meta, payload.body))
    await bench.take(strand.open(), answer)
    assert [secret.value for secret in bench.pipeline.by[answer.header.uid].secrets] == [b"Zq9Pfoo77"]
    assert bench.asked == [1]
    assert bench.metrics.registry.get_sample_value("tacho_processor_recalled_total") == 1


async def test_an_answer_without_a_request_is_refused(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """Where not even the topic has it, the pipeline is told so."""
    strand = new_strand()
    bench.put(strand)
    answer = strand.response(b"said", exchange=strand.new_exchange())
    await bench.take(answer)
    assert bench.pipeline.by[answer.header.uid] == Carried(refused="request-unknown")


async def test_what_a_restart_replays_is_not_masked_again(
    kek: KeyEncryptionKey, tmp_path: Path, new_strand: Callable[..., Any]
) -> None:
    """Below the mark nothing is told; the answer that comes behind it has its request read again."""
    bench = Bench(kek, tmp_path, mark=Mark(0, 1))
    strand = new_strand()
    bench.put(strand)
    request, answer = strand.exchange(b"Zq9Pfoo77", b"I set it")
    await bench.take(request, answer)
    assert (len(bench.sent.messages), bench.asked) == (1, [1])


@pytest.mark.parametrize(
    ("deaths", "withheld", "topic"),
    [
        (0, None, "t.masked"),
        (1, None, "t.masked"),
        (2, "masker-killed", "t.masked"),
        (3, None, "t.deadletter"),
    ],
)
async def test_a_record_that_ended_processes_is_spared_the_next(
    kek: KeyEncryptionKey,
    tmp_path: Path,
    new_strand: Callable[..., Any],
    deaths: int,
    withheld: str | None,
    topic: str,
) -> None:
    """Tried twice, then told without its body, then buried; the record after it is told as always."""
    (tmp_path / "attempts-0.json").write_text(f'{{"t.raw/0/0": {deaths}}}')
    bench = Bench(kek, tmp_path)
    strand = new_strand()
    bench.put(strand)
    bad, good = strand.open(), strand.open()
    await bench.take(bad, good)
    assert bench.topics() == [topic, "t.masked"]
    assert bench.pipeline.withheld.get(bad.header.uid) == withheld
    assert bench.pipeline.withheld[good.header.uid] is None


async def test_the_answer_to_a_record_that_ends_processes_does_not_mask_it_again(
    kek: KeyEncryptionKey, tmp_path: Path, new_strand: Callable[..., Any]
) -> None:
    """Read again after the restart, the request would end this process too."""
    (tmp_path / "attempts-0.json").write_text('{"t.raw/0/0": 2}')
    bench = Bench(kek, tmp_path, mark=Mark(0, 1))
    strand = new_strand()
    bench.put(strand)
    request, answer = strand.exchange(b"ask", b"said")
    sealed = parse_sealed(request.value)
    payload = decode_payload(open_sealed(sealed, cipher=strand.cipher))
    bench.recalled = Ready(Piece(0, sealed.header, payload.meta, payload.body))
    await bench.take(request, answer)
    assert bench.pipeline.by[answer.header.uid] == Carried(refused="masker-killed")


async def test_an_answer_that_ends_processes_has_no_request_read_again(
    kek: KeyEncryptionKey, tmp_path: Path, new_strand: Callable[..., Any]
) -> None:
    """It may be the request's masking that does it."""
    (tmp_path / "attempts-0.json").write_text('{"t.raw/0/0": 2}')
    bench = Bench(kek, tmp_path)
    strand = new_strand()
    bench.put(strand)
    answer = strand.response(b"said", exchange=strand.new_exchange())
    await bench.take(answer)
    assert (bench.pipeline.by[answer.header.uid], bench.asked) == (Carried(refused="masker-killed"), [])


async def test_a_stopped_partition_is_let_lie(bench: Bench, new_strand: Callable[..., Any]) -> None:
    """Nothing is taken, told or committed; not even after the stop, before its place is sought."""
    strand = new_strand()
    bench.put(strand)
    records = [strand.open() for _ in range(3)]
    await bench.take(records[0])
    bench.stop = "a leak"
    await bench.take(records[1], first=1)
    bench.stop = None
    await bench.take(records[2], first=2)
    assert (len(bench.sent.messages), bench.lane.ledger.next_offset) == (1, 1)
    bench.lane.stopped = False
    await bench.take(*records[1:], first=1)
    assert len(bench.sent.messages) == 3
