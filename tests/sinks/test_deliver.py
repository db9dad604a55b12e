"""One batch's way to OpenSearch: the same suite over an index in memory and over the real one."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from tachograph.sinks.batch import Batch
from tachograph.sinks.client import Cluster
from tachograph.sinks.deliver import Delivery
from tachograph.sinks.errors import CallRefused, DeadLetterFlood, Stopping, Unavailable
from tachograph.sinks.record import Message, Record
from tachograph.sinks.stub import stub

UID = "0b9c35a4-0f0f-5b5e-8f4e-3a3d8b6f2c11"
REFUSED = b'{"unmapped":"an object was expected"}'
RNG = random.Random(1)
Make = Callable[..., Message]


@dataclass
class Bench:
    """A delivery with everything around it in view."""

    documents: Any
    prefix: str
    buried: list[tuple[Message, str]] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    equivocations: list[str] = field(default_factory=list)
    longest: int = 1000
    rest: Callable[[float], None] = field(default=lambda _: None)
    """What passes the time of a wait."""

    def deliver(self, *messages: Message) -> None:
        Delivery(self.prefix, self.documents, self, self, self.wait, RNG).deliver(Batch(messages))

    def stored(self, record: Record) -> bytes | None:
        if isinstance(self.documents, Cluster):
            return self.documents.source(record.index, record.uid)
        found: bytes | None = self.documents.documents.get((record.index, record.uid))
        return found

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.rest(seconds)
        if len(self.waits) > self.longest:
            raise Stopping

    def bury(self, message: Message, *, reason: str, uid: str | None) -> None:
        self.buried.append((message, reason))

    def settled(self, result: str, count: int) -> None:
        self.results[result] += count

    def retrying(self, reason: str) -> None:
        self.reasons.append(reason)

    def equivocation(self, record: Record) -> None:
        self.equivocations.append(record.uid)


@pytest.fixture(params=["memory", pytest.param("opensearch", marks=pytest.mark.engines)])
def bench(request: pytest.FixtureRequest, tmp_path: Path, memory: Any) -> Iterator[Bench]:
    """The suite's two worlds."""
    if request.param == "memory":
        yield Bench(memory, "tacho")
        return
    world = request.getfixturevalue("world")
    for family in ("events", "messages"):
        world.made(family)
    yield Bench(world.cluster, world.prefix, rest=world.wait)


@pytest.fixture
def alone(memory: Any) -> Bench:
    """The world in memory, for faults that a healthy cluster does not have."""
    return Bench(memory, "tacho")


def record(bench: Bench, message: Message) -> Record:
    uid = dict(message.headers)["uid"].decode()
    return Record(message, uid, "request", f"{bench.prefix}-events-2026.11.20")


def test_every_record_becomes_its_document_byte_for_byte(bench: Bench, message: Make) -> None:
    """Spaces, escapes and number forms are the sender's and stay."""
    values = [b'{ "a" :"\\u00e9\\/", "b":1.0e+2, "c" : [ ] }', b'{"d":"\xc3\xa9 \\n"}', b"{}"]
    messages = [message(value, offset=n) for n, value in enumerate(values)]
    bench.deliver(*messages)
    assert [bench.stored(record(bench, one)) for one in messages] == values
    assert bench.results == {"created": 3}


def test_a_replay_changes_nothing(bench: Bench, message: Make) -> None:
    """A conflict with equal bytes is good."""
    one = message(b'{ "a":1 }')
    bench.deliver(one)
    bench.deliver(one, one)
    assert bench.results["equal"] == 2
    assert bench.stored(record(bench, one)) == one.value
    assert (bench.buried, bench.reasons) == ([], [])


def test_an_equivocation_is_caught_and_nothing_overwritten(bench: Bench, message: Make) -> None:
    """The same identity with other bytes, be it one space: dead letter, count, and the first one stays."""
    first, second = message(b'{"a":1}', uid=UID), message(b'{"a": 1}', uid=UID)
    bench.deliver(first)
    bench.deliver(second)
    assert bench.stored(record(bench, first)) == first.value
    assert bench.equivocations == [UID]
    assert bench.buried == [(second, "equivocation")]


def test_a_change_of_rules_is_no_equivocation(bench: Bench, message: Make) -> None:
    """One capture masked under two rulesets: the first document stands, nothing goes to the dead letter."""
    capture = {"uid": UID, "raw_commit": "0" * 64}
    values = [
        orjson.dumps({"unmapped": {"tacho": capture | {"ruleset": rules, "body": rules}}})
        for rules in ("old", "new")
    ]
    bench.deliver(message(values[0], uid=UID))
    bench.deliver(message(values[1], uid=UID))
    assert bench.results["remasked"] == 1
    assert (bench.buried, bench.equivocations) == ([], [])


def test_two_contents_in_one_batch_are_an_equivocation_too(bench: Bench, message: Make) -> None:
    """Whichever stands first in the partition is the document."""
    bench.deliver(message(b'{"a":1}', uid=UID), message(b'{"a":2}', uid=UID))
    assert bench.equivocations == [UID]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (REFUSED, "mapper_parsing_exception"),
        (b"{nonsense", "mapper_parsing_exception"),
        (b"nonsense", "not-an-object"),
        (b'{"a":\n1}', "line-feed"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "too-deep"),
        (b"", "not-an-object"),
    ],
)
def test_what_cannot_be_a_document_leaves_a_stub(
    bench: Bench, message: Make, value: bytes, reason: str
) -> None:
    """The value is buried whole, a stub has its id, its neighbours are indexed, and a replay adds nothing."""
    bad, good = message(value), message(b"{}")
    bench.deliver(bad, good)
    assert bench.buried == [(bad, reason)]
    assert bench.stored(record(bench, bad)) == stub(record(bench, bad), reason)
    assert bench.stored(record(bench, good)) == b"{}"
    assert bench.results == {"created": 1, "refused": 1}
    bench.deliver(bad, good)
    assert len(bench.buried) == 1
    assert bench.equivocations == []
    assert bench.results == {"created": 1, "refused": 1, "equal": 1, "stub": 1}


def test_a_value_that_a_stub_stands_for_is_no_equivocation_once_it_is_taken(
    alone: Bench, message: Make
) -> None:
    """After the mapping was mended, a replay finds the stub and leaves it; the value is buried."""
    bad = message(REFUSED)
    alone.deliver(bad)
    alone.documents._status = lambda key, source: (409, "version_conflict_engine_exception")
    alone.deliver(bad)
    assert (alone.results["stub"], alone.equivocations, len(alone.buried)) == (1, [], 1)


def test_without_an_identity_there_is_the_dead_letter_only(bench: Bench, message: Make) -> None:
    """No uid, no document that could stand for it."""
    nameless = message(b"{}", headers=())
    bench.deliver(nameless)
    assert bench.buried == [(nameless, "no-uid")]


def test_an_absent_cluster_is_waited_for(alone: Bench, message: Make) -> None:
    """However often it does not answer, and with pauses that grow to a bound."""
    alone.documents.faults = [Unavailable("")] * 30
    one = message()
    alone.deliver(one)
    assert alone.stored(record(alone, one)) == one.value
    assert alone.reasons == ["unavailable"] * 30
    assert max(alone.waits) <= 10


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_the_operator_must_mend_is_waited_for(alone: Bench, message: Make, status: int) -> None:
    """A missing right loses no record."""
    alone.documents.faults = [CallRefused(status, "security_exception")] * 2
    alone.deliver(message())
    assert alone.reasons == [f"refused-{status}"] * 2
    assert alone.results == {"created": 1}


def test_busy_items_are_sent_again_and_only_they(alone: Bench, message: Make) -> None:
    """429 and 503 for single items."""
    alone.documents.item_faults = [(429, "rejected_execution_exception"), (201, ""), (503, "unavailable")]
    messages = [message(offset=n) for n in range(4)]
    alone.deliver(*messages)
    assert alone.documents.calls[1].count(b'"create"') == 2
    assert alone.results == {"created": 4}
    assert alone.reasons == ["rejected_execution_exception"]


@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_call_is_halved_down_to_the_record(alone: Bench, message: Make, status: int) -> None:
    """One record that spoils the whole call does not take the others with it."""
    poison = message(b'{"poison":1}')
    bulk = alone.documents.bulk

    def spoiled(body: bytes) -> bytes:
        if b"poison" in body:
            raise CallRefused(status, "content_too_long")
        answer: bytes = bulk(body)
        return answer

    alone.documents.bulk = spoiled
    alone.deliver(*[message() for _ in range(5)], poison, *[message() for _ in range(3)])
    assert alone.results == {"created": 8, "refused": 1}
    assert alone.buried == [(poison, "content_too_long")]


def test_a_torn_answer_means_ask_again(alone: Bench, message: Make) -> None:
    """What was created then is found equal now."""
    bulk, cuts = alone.documents.bulk, itertools.count()

    def torn(body: bytes) -> bytes:
        answer: bytes = bulk(body)
        return answer[:-10] if next(cuts) == 0 else answer

    alone.documents.bulk = torn
    alone.deliver(message(), message())
    assert alone.results == {"created": 0, "equal": 2}


def test_a_refused_stub_is_the_indexs_fault(alone: Bench, message: Make) -> None:
    """It is tried until it is taken; the record is buried once."""
    alone.documents.item_faults = [(400, "mapper_parsing_exception")] * 4
    alone.deliver(message())
    assert alone.reasons == ["stub-refused"] * 3
    assert len(alone.buried) == 1
    assert alone.results == {"created": 0, "refused": 1}


def test_a_document_that_vanished_is_created(alone: Bench, message: Make) -> None:
    """409, and then nothing there: somebody deleted it in between."""
    alone.documents.item_faults = [(409, "version_conflict_engine_exception")]
    alone.deliver(message())
    assert alone.results["created"] == 1


def test_stopping_interrupts_the_wait(alone: Bench, message: Make) -> None:
    """Without end does not mean: not at shut-down."""
    alone.documents.faults = [Unavailable("")] * 30
    alone.longest = 3
    with pytest.raises(Stopping):
        alone.deliver(message())


def test_a_flood_ends_the_delivery(alone: Bench, message: Make) -> None:
    """The dead letter's refusal reaches the main thread."""

    def flooded(message: Message, *, reason: str, uid: str | None) -> None:
        raise DeadLetterFlood(reason)

    alone.bury = flooded  # type: ignore[method-assign]
    with pytest.raises(DeadLetterFlood):
        alone.deliver(message(b"[]"))


def test_the_two_families_have_their_own_indices(bench: Bench, message: Make) -> None:
    """Conversation messages do not lie among the events."""
    headers = (("uid", UID.encode()), ("type", b"message"), ("day", b"2026.11.20"))
    one = message(orjson.dumps({"time": 1}), headers=headers)
    bench.deliver(one)
    assert bench.stored(Record(one, UID, "message", f"{bench.prefix}-messages-2026.11.20")) == one.value
