"""The sink as a process on the real engines: nothing missing, nothing twice, whatever is killed or cut."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from tachograph.schemas.config import Configuration
from tachograph.sinks.checkpoint_copy import CLOSE_SECONDS
from tachograph.sinks.record import Message
from tachograph.sinks.worker import STOP_SECONDS

Make = Callable[..., Message]
RNG = random.Random(7)
SECONDS = 120.0


class FaultProxy:
    """A TCP way to OpenSearch that can be closed, cut after so many bytes of answer, or made silent."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._started = threading.Event()
        self.mode = "pass"
        self.connections = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def set(self, mode: str) -> None:
        """`pass`, `refuse` (accept and close), `cut` (half an answer), `hang` (swallow everything)."""
        self.mode = mode
        if mode != "pass":
            self._loop.call_soon_threadsafe(self._drop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(30)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ended.wait()
        server.close()
        self._drop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # one more turn for the transports to close

    def _drop(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pair = {writer}
        try:
            if self.mode != "refuse":
                theirs, ours = await asyncio.open_connection(*self._target)
                pair.add(ours)
                self._open |= pair
                both = self._pump(reader, ours), self._pump(theirs, writer, answers=True)
                await asyncio.gather(*both, return_exceptions=True)
        finally:
            for end in pair:
                end.transport.abort()
            self._open -= pair

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while data := await reader.read(1 << 16):
            if self.mode == "hang":
                continue
            if self.mode == "cut" and answers:
                writer.write(data[: len(data) // 2])
                await writer.drain()
                break
            writer.write(data)
            await writer.drain()
        writer.transport.abort()


@pytest.fixture
def proxy(configuration: Configuration) -> Iterator[FaultProxy]:
    """In front of the real OpenSearch."""
    made = FaultProxy(configuration.opensearch.url)
    yield made
    made.close()


def messages(make: Make, count: int, size: int = 600) -> list[Message]:
    """Events of many sessions, of several sizes."""
    found = []
    for n in range(count):
        uid = str(uuid.uuid4())
        text = "é\\" * RNG.randrange(size)
        tacho = {"type": "request", "seq": n, "body": text}
        value = orjson.dumps(
            {"metadata": {"uid": uid}, "time": 1_763_596_800_000 + n, "unmapped": {"tacho": tacho}}
        )
        found.append(make(value, uid=uid, key=str(n % 17).encode(), offset=n))
    return found


def assert_all_there(world: Any, sent: Sequence[Message], *, sampled: int = 200) -> None:
    """Exactly these documents, and a sample of them byte for byte."""
    uids = {dict(one.headers)["uid"].decode(): one.value for one in sent}
    assert set(world.versions()) == set(uids)
    assert world.count() == len(uids)
    for uid in RNG.sample(sorted(uids), min(sampled, len(uids))):
        assert world.cluster.source(world.index, uid) == uids[uid]


@pytest.mark.engines
def test_documents_equal_their_records_and_the_offset_follows(
    world: Any, message: Make, eventually: Any
) -> None:
    """Byte for byte, in both families; SIGTERM ends it cleanly with everything committed."""
    sent = messages(message, 300)
    odd = message(b'{ "time" : 1763596800000, "x":[1.0,1e2,"\\u00e9\\/"], "y":"\xc3\xa9" }')
    talk = message(
        headers=(("uid", str(uuid.uuid4()).encode()), ("type", b"message"), ("day", b"2026.11.20"))
    )
    world.put([*sent, odd, talk])
    sink = world.sink()
    assert sink.ready()["part"] == "sink"
    eventually(lambda: world.count() == 301, "all events indexed")
    eventually(lambda: world.count("messages-*") == 1, "the message indexed")
    assert sink.end() == 0
    assert_all_there(world, [*sent, odd], sampled=301)
    assert world.committed() == 302
    assert world.dead_letters() == []


@pytest.mark.engines
def test_kill_9_in_the_middle_loses_nothing_and_doubles_nothing(
    world: Any, message: Make, eventually: Any
) -> None:
    """Killed twice between first and last document; the third run finishes."""
    sent = messages(message, 6000, size=2000)
    world.put(sent[:5000])
    for least in (1, 2000):
        sink = world.sink()
        eventually(lambda least=least: world.count() >= least, "some indexed")
        sink.end(signal.SIGKILL)
    world.put(sent[5000:])  # whatever the pace, something is left for the third
    sink = world.sink()
    sink.ready()
    eventually(lambda: world.committed() == len(sent), "all committed")
    assert sink.end() == 0
    assert_all_there(world, sent)
    assert world.committed() == len(sent)
    assert world.dead_letters() == []


@pytest.mark.engines
def test_a_replay_of_the_topic_changes_nothing(world: Any, message: Make, eventually: Any) -> None:
    """Twice from the first offset: the same documents at the same versions, no new dead letter."""
    sent = messages(message, 500)
    refused = message(b'{"unmapped":"an object was expected"}', key=b"k")
    world.put([*sent, refused])
    seen = []
    for _ in range(3):
        sink = world.sink()
        eventually(lambda: world.committed() == 501, "all committed")
        assert sink.end() == 0
        seen.append((world.versions(), len(world.dead_letters())))
        world.rewind()
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0][0]) == 501
    assert seen[0][1] == 1


@pytest.mark.engines
def test_a_refused_record_is_buried_and_leaves_no_hole(world: Any, message: Make, eventually: Any) -> None:
    """Its neighbours are indexed, a stub has its id, and the dead letter has it whole with the reason."""
    good = messages(message, 20)
    refused = message(b'{"unmapped":"an object was expected"}', key=b"k")
    nameless = message(b"{}", headers=(), key=b"k")
    world.put([*good[:10], refused, nameless, *good[10:]])
    sink = world.sink()
    eventually(lambda: world.committed() == 22, "all committed")
    assert sink.end() == 0
    uid = dict(refused.headers)["uid"].decode()
    (hit,) = [world.cluster.source(world.index, uid)]
    assert orjson.loads(hit)["unmapped"]["tacho"]["stub"]["reason"] == "mapper_parsing_exception"
    assert world.count() == 21
    letters = world.dead_letters()
    assert [(value, headers["reason"]) for value, headers in letters] == [
        (refused.value, "mapper_parsing_exception"),
        (nameless.value, "no-uid"),
    ] or [headers["reason"] for _, headers in letters] == ["no-uid", "mapper_parsing_exception"]
    assert "an object was expected" not in sink.log


@pytest.mark.engines
def test_an_equivocation_is_caught(world: Any, message: Make, eventually: Any) -> None:
    """A second content under one identity: in the log, in the dead letter, not in the index."""
    uid = str(uuid.uuid4())
    first, second = (message(b'{"time":%d}' % n, uid=uid, key=b"k") for n in (1, 2))
    world.put([first, second])
    sink = world.sink()
    eventually(lambda: world.committed() == 2, "both settled")
    assert sink.end() == 0
    assert world.cluster.source(world.index, uid) == first.value
    ((value, headers),) = world.dead_letters()
    assert (value, headers["reason"], headers["uid"]) == (second.value, "equivocation", uid)
    assert "EQUIVOCATION" in sink.log


@pytest.mark.engines
@pytest.mark.parametrize("mode", ["refuse", "cut", "hang"])
def test_opensearch_away_in_the_middle_loses_nothing(
    world: Any, message: Make, eventually: Any, proxy: FaultProxy, mode: str
) -> None:
    """Connections refused, answers torn, or silence: it retries, says so, is not ready, and goes on."""
    sent = messages(message, 600)
    world.put(sent[:300])
    sink = world.sink(url=proxy.url, call_seconds=1)
    eventually(lambda: world.count() == 300, "the first half indexed")
    proxy.set(mode)
    tried = proxy.connections
    world.put(sent[300:])
    eventually(lambda: proxy.connections > tried + 3, "it tries again")
    assert sink.process.poll() is None
    proxy.set("pass")
    eventually(lambda: world.count() == 600, "the second half indexed")
    eventually(lambda: world.committed() == 600, "all committed")
    assert sink.end() == 0
    assert_all_there(world, sent)
    assert world.dead_letters() == []
    assert "trying again" in sink.log


@pytest.mark.engines
def test_it_ends_cleanly_while_opensearch_is_away(
    world: Any, message: Make, eventually: Any, proxy: FaultProxy
) -> None:
    """SIGTERM in the middle of retrying: exit 0, nothing committed that is not there.

    Its waits at the end add up to less than the 10 s after which container runtimes kill.
    """
    assert STOP_SECONDS + CLOSE_SECONDS < 8
    sink = world.sink(url=proxy.url)
    sink.ready()
    proxy.set("refuse")
    world.put(messages(message, 10))
    tried = proxy.connections
    eventually(lambda: proxy.connections > tried + 2, "it tries")
    assert sink.end() == 0
    assert world.committed() == 0


@pytest.mark.engines
def test_opensearch_down_at_start_is_exit_3(world: Any) -> None:
    """After the named bound, with a line that says what to do."""
    sink = world.sink(url="http://127.0.0.1:1", start_seconds=1)
    assert sink.process.wait(SECONDS) == 3
    assert sink.end() == 3
    assert "OpenSearch did not answer" in sink.log


@pytest.mark.engines
def test_kafka_down_at_start_is_exit_3(world: Any) -> None:
    """The same for the other engine."""
    world.config = world.config.model_copy(
        update={"kafka": world.config.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})}
    )
    sink = world.sink(start_seconds=1)
    assert sink.process.wait(SECONDS) == 3
    assert sink.end() == 3
    assert "Kafka did not answer" in sink.log


@pytest.mark.engines
def test_without_templates_it_does_not_start(world: Any) -> None:
    """A document must not create an index of another mapping."""
    world.gone(f"/_index_template/{world.prefix}-events")
    try:
        sink = world.sink()
        assert sink.process.wait(SECONDS) == 1
        assert sink.end() == 1
        assert "tacho provision" in sink.log
    finally:
        pattern = orjson.dumps({"index_patterns": [f"{world.prefix}-events-*"]})
        world.ask("PUT", f"/_index_template/{world.prefix}-events", pattern)


@pytest.mark.engines
def test_two_sinks_share_the_topic_and_a_rebalance_loses_nothing(
    world: Any, message: Make, eventually: Any
) -> None:
    """One joins in the middle, one is killed; every record becomes one document."""
    sent = messages(message, 3000)
    first = world.sink()
    first.ready()
    world.put(sent[:1000])
    second = world.sink()
    second.ready()
    world.put(sent[1000:2000])
    eventually(lambda: world.count() >= 1200, "both at work")
    first.end(signal.SIGKILL)
    world.put(sent[2000:])
    eventually(lambda: world.committed() == 3000, "all committed")
    assert second.end() == 0
    assert_all_there(world, sent)
    assert world.dead_letters() == []


@pytest.mark.engines
def test_a_record_is_searchable_within_two_seconds(world: Any, message: Make, eventually: Any) -> None:
    """From Kafka's acknowledgement to a hit, no refresh asked for; the best of many, for a busy machine."""
    world.sink().ready()
    world.put([message(key=b"k")])
    eventually(lambda: world.count() == 1, "warm")
    took: list[float] = []
    while min(took, default=2.0) >= 2.0 and len(took) < 20:
        n = len(took)
        word = f"needle{n}"
        uid = str(uuid.uuid4())
        value = orjson.dumps({"time": 1, "unmapped": {"tacho": {"type": "request", "body": word}}})
        world.put([message(value, uid=uid, key=b"k")])
        begin = time.monotonic()
        query = orjson.dumps({"query": {"match": {"unmapped.tacho.body": word}}})
        eventually(
            lambda query=query: (
                orjson.loads(world.ask("POST", f"/{world.index}/_count", query))["count"] == 1
            ),
            "searchable",
        )
        took.append(time.monotonic() - begin)
    assert min(took) < 2.0


@pytest.mark.engines
def test_readiness_and_metrics_tell_the_truth(world: Any, message: Make, eventually: Any) -> None:
    """Served at a port of its choice, named in the ready line."""
    world.config = Configuration.model_validate(
        world.config.model_dump() | {"sink": {"metrics": {"host": "127.0.0.1", "port": 0}}}
    )
    url = world.sink().ready()["metrics"]
    assert httpx.get(f"{url}/readyz", timeout=SECONDS).status_code == 200
    world.put([message(key=b"k")])
    counted = 'result="created"} 1.0'
    eventually(lambda: counted in httpx.get(f"{url}/metrics", timeout=SECONDS).text, "counted")
