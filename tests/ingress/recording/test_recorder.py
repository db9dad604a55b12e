"""From the engine's calls to Kafka and back: real broker, real files, and workers killed with SIGKILL."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from confluent_kafka import Message
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.ingress.errors import RecorderFull, SpoolBroken
from tachograph.ingress.metrics import Metrics
from tachograph.ingress.recording import gateway
from tachograph.ingress.recording.recorder import MAX_PIECE_BYTES, Recorder, RequestHead, World
from tachograph.ingress.spool.files import SystemDisk, claim_directory
from tachograph.schemas.config import Configuration, Ingress, Kafka, Spool
from tachograph.schemas.connection import Connection
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.event import GENESIS, EventType, Header, Principal, PrincipalKind, header_hash
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey, strand_name
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.payload import (
    ChunkMeta,
    HeartbeatMeta,
    Payload,
    RequestMeta,
    ResponseMeta,
    decode_payload,
)

SECONDS = 60.0
KEK = KeyEncryptionKey(b"k" * 32)
AGENT = Principal(id="agent", kind=PrincipalKind.API_KEY)
CONNECTION = Connection.model_validate({"name": "model", "protocol": "llm", "upstream": "http://model.test"})
SECRET = b"planted-secret-7f3a"
Read = Callable[[str], list[Message]]
Opened = list[tuple[Header, Payload]]


def configuration(kafka: Kafka | None = None, **ingress: object) -> Configuration:
    nowhere = Kafka(bootstrap_servers="127.0.0.1:1")
    return Configuration(kafka=kafka or nowhere, ingress=Ingress.model_validate(ingress))


def away(kafka: Kafka) -> Kafka:
    """The same topics, where no broker answers."""
    return kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})


def head(*headers: tuple[str, str]) -> RequestHead:
    return RequestHead("POST", "/v1/messages?beta=true", "1.1", headers, "127.0.0.1:50000")


async def exchange(recorder: Recorder, body: bytes, *headers: tuple[str, str]) -> uuid.UUID:
    record = await recorder.open(
        connection=CONNECTION,
        principal=AGENT,
        head=head(*headers),
        upstream="http://model.test/v1/messages?beta=true",
        started_ns=time.time_ns(),
    )
    await record.request(body, end=True)
    record.response_head(status=200, reason="OK", http_version="1.1", headers=(), origin="upstream")
    record.response_data(body)
    record.end()
    return record.exchange


def opened(kafka: Kafka, read: Read) -> Opened:
    """Every record of the raw topic, decrypted with the keys of the keys topic, once each."""
    keys = {message.key(): WrappedKey.decode(message.value()) for message in read(kafka.topics.keys)}
    found: dict[uuid.UUID, tuple[Header, Payload]] = {}
    for message in read(kafka.topics.raw):
        sealed = parse_sealed(message.value())
        header = sealed.header
        assert message.key() == str(header.session).encode()
        assert dict(message.headers())["uid"] == str(header.uid).encode()
        cipher = KEK.unwrap(keys[strand_name(header.session, header.epoch).encode()])
        found[header.uid] = header, decode_payload(open_sealed(sealed, cipher=cipher))
    return list(found.values())


def check_chains(records: Opened) -> None:
    """Each strand starts at 0 with `session.open`, has no gap, and each header names the one before it."""
    strands: dict[tuple[uuid.UUID, uuid.UUID], list[Header]] = defaultdict(list)
    for header, _ in records:
        strands[header.session, header.epoch].append(header)
    for headers in strands.values():
        headers.sort(key=lambda header: header.seq)
        assert [header.seq for header in headers] == list(range(len(headers)))
        assert headers[0].type is EventType.SESSION_OPEN
        previous = [GENESIS, *(header_hash(header.canonical()) for header in headers)]
        assert [header.prev for header in headers] == previous[:-1]


def of_type(records: Opened, type_: EventType) -> Opened:
    return [(header, payload) for header, payload in records if header.type is type_]


@pytest.mark.engines
async def test_an_exchange_is_one_request_and_one_response(
    tmp_path: Path, kafka: Kafka, read_topic: Read
) -> None:
    """What the engine tells arrives in Kafka sealed, chained, between its session's open and close."""
    recorder = await Recorder.start(configuration(kafka), base=tmp_path, kek=KEK)
    sent = await exchange(recorder, b'{"model": "claude", "stream": true}', ("X-Tacho-Session", "s"))
    assert await recorder.stop(seconds=SECONDS)
    records = opened(kafka, read_topic)
    check_chains(records)
    assert [header.type.value for header, _ in records] == [
        "session.open", "request", "response", "session.close",
    ]  # fmt: skip
    _, (request, asked), (response, answered), _ = records
    assert request.exchange == response.exchange == sent
    assert isinstance(asked.meta, RequestMeta)
    assert isinstance(answered.meta, ResponseMeta)
    assert asked.body == answered.body == b'{"model": "claude", "stream": true}'
    assert asked.meta.context == answered.meta.context
    assert (answered.meta.context.model, answered.meta.context.stream) == ("claude", True)
    assert not list((tmp_path / "spool").rglob("*.seg"))


@pytest.mark.engines
async def test_long_bodies_become_chunks_that_add_up(tmp_path: Path, kafka: Kafka, read_topic: Read) -> None:
    """A body above 256 KiB lies in chunks with offsets; the closing record has the totals and no body."""
    recorder = await Recorder.start(configuration(kafka), base=tmp_path, kek=KEK)
    body = random.Random(1).randbytes(700_000)
    record = await recorder.open(
        connection=CONNECTION, principal=AGENT, head=head(), upstream="http://u", started_ns=time.time_ns()
    )
    for start in range(0, len(body), 200_000):
        await record.request(body[start : start + 200_000], end=start + 200_000 >= len(body))
    record.response_head(status=200, reason="OK", http_version="1.1", headers=(), origin="upstream")
    for start in range(0, len(body), 10_000):
        record.response_data(body[start : start + 10_000])
        await record.ready()
    record.end()
    assert await recorder.stop(seconds=SECONDS)
    records = opened(kafka, read_topic)
    check_chains(records)
    for side in ("request", "response"):
        chunks = [(h, p) for h, p in of_type(records, EventType.CHUNK) if h.direction.value == side]
        assert b"".join(payload.body for _, payload in chunks) == body
        assert all(len(payload.body) <= 256 * 1024 for _, payload in chunks)
        ((_, closing),) = of_type(records, EventType(side))
        assert isinstance(closing.meta, RequestMeta | ResponseMeta)
        assert (closing.body, closing.meta.body.length, closing.meta.body.chunks) == (
            b"",
            700_000,
            len(chunks),
        )
        last = chunks[-1][1].meta
        assert isinstance(last, ChunkMeta)
        assert closing.meta.body.sha256 == last.sha256


@pytest.mark.engines
async def test_the_spool_and_the_broker_hold_no_clear_byte(
    tmp_path: Path, kafka: Kafka, read_topic: Read
) -> None:
    """A planted secret in header, target and body is in no spool file and in no message."""
    down = await Recorder.start(configuration(away(kafka)), base=tmp_path, kek=KEK)
    await exchange(
        down, SECRET * 10, ("Authorization", SECRET.decode()), ("X-Tacho-Session", SECRET.decode())
    )
    assert not await down.stop(seconds=0.2)
    files = [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]
    assert any(path.stat().st_size > 1000 for path in files)
    assert not [path for path in files if SECRET in path.read_bytes()]
    assert not [path for path in files if path.stat().st_mode & 0o077]
    up = await Recorder.start(configuration(kafka), base=tmp_path, kek=KEK)
    assert await up.stop(seconds=SECONDS)
    messages = read_topic(kafka.topics.raw)
    assert len(messages) == 4
    assert not [message for message in messages if SECRET in message.value() + message.key()]


@pytest.mark.engines
async def test_kafka_down_at_first_only_delays(tmp_path: Path, kafka: Kafka, read_topic: Read) -> None:
    """Records made while no broker answers are durable at once and are published by the next worker."""
    down = await Recorder.start(configuration(away(kafka)), base=tmp_path, kek=KEK)
    sent = {await exchange(down, b"x") for _ in range(20)}
    assert down.status.refusing == ""
    assert not await down.stop(seconds=0.2)
    up = await Recorder.start(configuration(kafka), base=tmp_path, kek=KEK)
    sent.add(await exchange(up, b"y"))
    assert await up.stop(seconds=SECONDS)
    records = opened(kafka, read_topic)
    check_chains(records)
    assert {header.exchange for header, _ in of_type(records, EventType.RESPONSE)} == sent
    assert not list((tmp_path / "spool").rglob("*.seg"))


@contextlib.asynccontextmanager
async def forward(sock: socket.socket, kafka: Kafka) -> AsyncIterator[None]:
    """A way to the real broker that opens when the test says so, and leaves no connection behind."""
    host, _, broker = kafka.bootstrap_servers.partition(":")
    ways: list[asyncio.Task[None]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection(host, int(broker))
        ways.extend(asyncio.create_task(way) for way in (pump(reader, here), pump(there, writer)))

    server = await asyncio.start_server(connect, sock=sock)
    yield
    server.close()
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    await asyncio.sleep(0)  # an aborted connection is closed on the loop's next turn


@pytest.mark.engines
async def test_kafka_may_come_later_than_the_agents(tmp_path: Path, kafka: Kafka, read_topic: Read) -> None:
    """One worker serves while no broker answers, and publishes all of it when one does."""
    sock = socket.socket()  # bound, so that the port is ours, and not listening yet, so that nobody answers
    sock.bind(("127.0.0.1", 0))
    late = kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{sock.getsockname()[1]}"})
    recorder = await Recorder.start(configuration(late), base=tmp_path, kek=KEK)
    sent = {await exchange(recorder, b"x" * 10_000) for _ in range(50)}
    await until(lambda: recorder.status.kafka.problem == "no broker answers")
    async with forward(sock, kafka):
        sent |= {await exchange(recorder, b"y") for _ in range(5)}
        await until(lambda: recorder.status.kafka.connected)
        assert await recorder.stop(seconds=SECONDS)
    records = opened(kafka, read_topic)
    check_chains(records)
    assert {header.exchange for header, _ in of_type(records, EventType.RESPONSE)} == sent


CHILD = textwrap.dedent(
    """
    import asyncio, sys, time
    from pathlib import Path
    from tachograph.ingress.recording.recorder import MAX_PIECE_BYTES, Recorder, RequestHead
    from tachograph.schemas.config import Configuration
    from tachograph.schemas.connection import Connection
    from tachograph.schemas.event import Principal
    from tachograph.schemas.keys import KeyEncryptionKey

    async def main(config, base):
        recorder = await Recorder.start(config, base=Path(base), kek=KeyEncryptionKey(b"k" * 32))
        connection = Connection.model_validate({"name": "m", "protocol": "http", "upstream": "http://u"})
        principal = Principal.model_validate_json('{"id": "a", "kind": "api_key"}')

        async def agent(number):
            while True:
                headers = (("x-tacho-session", f"s{number}"),)
                record = await recorder.open(
                    connection=connection, principal=principal, upstream="http://u",
                    started_ns=time.time_ns(),
                    head=RequestHead("POST", "/", "1.1", headers, "127.0.0.1:1"),
                )
                await record.request(b"x" * 2000, end=True)
                print("durable", record.exchange, flush=True)
                record.end()

        await asyncio.gather(*(agent(number) for number in range(4)))

    asyncio.run(main(Configuration.model_validate_json(sys.argv[1]), sys.argv[2]))
    """
)


def killed_worker(config: Configuration, base: Path, after: int) -> list[uuid.UUID]:
    """Run a worker, kill it with SIGKILL after so many durable requests; what it had called durable."""
    arguments = [sys.executable, "-c", CHILD, config.model_dump_json(), str(base)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        durable: list[uuid.UUID] = []
        for line in child.stdout:
            word, _, exchange = line.strip().partition(" ")
            if word == "durable" and len(exchange) == 36:  # the last line may be cut
                durable.append(uuid.UUID(exchange))
            if len(durable) == after:
                os.kill(child.pid, signal.SIGKILL)
    return durable


@pytest.mark.engines
@pytest.mark.parametrize("reachable", [True, False], ids=["kafka-up", "kafka-down"])
async def test_whatever_was_durable_survives_a_kill(
    tmp_path: Path, kafka: Kafka, read_topic: Read, *, reachable: bool
) -> None:
    """After SIGKILL at any point, every request called durable reaches Kafka, and no strand has a gap."""
    spool = Spool(max_bytes=16 << 20, segment_bytes=1 << 20)  # so that segments are changed on the way
    config = configuration(kafka if reachable else away(kafka), spool=spool)
    durable: list[uuid.UUID] = []
    for after in (1, 7, 60, 300):
        durable += await asyncio.to_thread(killed_worker, config, tmp_path, after)
    survivor = await Recorder.start(configuration(kafka), base=tmp_path, kek=KEK)
    assert await survivor.stop(seconds=SECONDS)
    records = opened(kafka, read_topic)
    check_chains(records)
    requests = {header.exchange for header, _ in of_type(records, EventType.REQUEST)}
    assert len(durable) >= 368
    assert set(durable) <= requests
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]


class Disk(SystemDisk):
    """A disk that is full while it is told to be."""

    full = False

    def write(self, fd: int, data: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().write(fd, data)


async def fill(recorder: Recorder) -> None:
    for _ in range(1000):
        await exchange(recorder, b"x" * 200_000)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not what():  # noqa: ASYNC110  threads change it
            await asyncio.sleep(0.01)


async def written(recorder: Recorder) -> None:
    """Until the disk has everything, and the spool's thread rests."""
    await until(lambda: recorder._durability.upto == recorder._spool.count)


async def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """While the disk fails requests are refused with the reason; with space back they are taken."""
    disk = Disk()
    recorder = await Recorder.start(configuration(), base=tmp_path, kek=KEK, world=World(disk=disk))
    await exchange(recorder, b"before")
    disk.full = True
    with pytest.raises(RecorderFull, match="No space left"):
        await exchange(recorder, b"during")
    with pytest.raises(RecorderFull, match="No space left"):
        await exchange(recorder, b"during, again")
    assert "No space left" in recorder.status.refusing
    disk.full = False
    await until(lambda: recorder.status.refusing == "")
    await exchange(recorder, b"after")
    await recorder.stop(seconds=0.2)


async def test_a_full_spool_refuses_new_exchanges_and_holds_up_answers(tmp_path: Path) -> None:
    """With Kafka away the spool fills to its bound: then `open` refuses; what is open can still be ended."""
    spool = Spool(max_bytes=16 << 20, segment_bytes=1 << 20)
    recorder = await Recorder.start(configuration(spool=spool), base=tmp_path, kek=KEK)
    early = await recorder.open(
        connection=None, principal=AGENT, head=head(), upstream="", started_ns=time.time_ns()
    )
    with pytest.raises(RecorderFull, match="full"):
        await fill(recorder)
    early.response_data(b"late")
    early.end()
    await written(recorder)
    await recorder.stop(seconds=0.2)
    size = sum(path.stat().st_size for path in (tmp_path / "spool").rglob("*.seg"))
    assert 13 << 20 < size < 16 << 20


async def test_a_burst_beyond_memory_waits_for_the_disk(tmp_path: Path) -> None:
    """More at once than the recorder holds in memory is taken all the same, bit by bit."""
    recorder = await Recorder.start(configuration(), base=tmp_path, kek=KEK)
    bodies = [bytes([number]) * MAX_PIECE_BYTES for number in range(100)]
    exchanges = await asyncio.gather(*(exchange(recorder, body) for body in bodies))
    assert len(set(exchanges)) == 100
    assert recorder.status.refusing == ""
    await written(recorder)
    await recorder.stop(seconds=0.2)
    assert sum(path.stat().st_size for path in (tmp_path / "spool").rglob("*.seg")) > 200 * MAX_PIECE_BYTES


async def test_sessions_are_closed_when_idle(tmp_path: Path) -> None:
    """An idle session's strand is closed by the recorder itself; the next exchange opens another."""
    recorder = await Recorder.start(configuration(session_idle=0.05), base=tmp_path, kek=KEK)
    await exchange(recorder, b"x")
    assert recorder.status.strands == 1
    await until(lambda: recorder.status.strands == 0)
    await exchange(recorder, b"x")
    assert recorder.status.strands == 1
    await recorder.stop(seconds=0.2)


async def test_metrics_tell_what_happened(tmp_path: Path) -> None:
    """Exchanges, spool and Kafka are counted under their names."""
    metrics = Metrics()
    recorder = await Recorder.start(configuration(), base=tmp_path, kek=KEK, metrics=metrics)
    await exchange(recorder, b"x" * 1000)
    value = metrics.registry.get_sample_value
    labels = {"connection": "model", "outcome": "ok"}
    assert value("tacho_ingress_exchanges_total", labels) == 1
    assert value("tacho_ingress_durable_seconds_count") == 1
    assert value("tacho_ingress_sessions_open") == 1
    assert value("tacho_ingress_kafka_connected") == 0
    assert (value("tacho_ingress_spool_bytes") or 0) > 2000
    await recorder.stop(seconds=0.2)


async def test_a_spool_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    """A worker without a spool does not serve."""
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(SpoolBroken):
        await Recorder.start(configuration(), base=tmp_path, kek=KEK)


@pytest.mark.engines
async def test_heartbeats_name_the_strands_until_the_boots_end(
    tmp_path: Path, kafka: Kafka, read_topic: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway's strand is a strand as any other; its last heartbeat names what was closed at the end."""
    monkeypatch.setattr(gateway, "HEARTBEAT_SECONDS", 0.0)
    signer = NoteSigner("tachograph/test/gateway", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    recorder = await Recorder.start(configuration(kafka), base=tmp_path, kek=KEK, signer=signer)
    await exchange(recorder, b"x")
    assert recorder._gateway is not None
    own = recorder._gateway.strand
    await until(lambda: own.records > 1)
    assert await recorder.stop(seconds=SECONDS)
    records = opened(kafka, read_topic)
    check_chains(records)
    ours = [payload.meta for header, payload in records if header.session == own.session]
    beats = [meta for meta in ours if isinstance(meta, HeartbeatMeta)]
    assert [meta.kind for meta in ours] == ["session.open", *["heartbeat"] * len(beats), "session.close"]
    closed = [header for header, _ in of_type(records, EventType.SESSION_CLOSE)]
    (closing,) = [header for header in closed if header.session != own.session]
    named = {item.session: item for item in beats[-1].heartbeat.strands}
    last = named[str(closing.session)]
    assert (last.open, last.records, last.head) == (False, closing.seq + 1, header_hash(closing.canonical()))


async def test_the_next_boot_says_that_a_killed_one_is_over(tmp_path: Path) -> None:
    """It took over the folder, whose lock nobody held; of a boot that runs, a second one says nothing."""
    signer = NoteSigner("tachograph/test/gateway", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    killed = uuid.uuid4()
    left, _ = claim_directory(tmp_path / configuration().ingress.spool.path, str(killed))
    os.close(left.lock)  # as the kernel does
    first = await Recorder.start(configuration(), base=tmp_path, kek=KEK, signer=signer)
    second = await Recorder.start(configuration(), base=tmp_path, kek=KEK, signer=signer)
    assert first._gateway is not None
    assert second._gateway is not None
    assert (first._gateway.ended, second._gateway.ended) == ([killed], [])
    for recorder in (first, second):
        await recorder.stop(seconds=0.2)


async def test_a_full_spool_has_no_room_for_heartbeats(tmp_path: Path) -> None:
    """What is left of it is for exchanges; the next heartbeat names what was closed meanwhile."""
    signer = NoteSigner("tachograph/test/gateway", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    recorder = await Recorder.start(configuration(), base=tmp_path, kek=KEK, signer=signer)
    own = recorder._gateway
    assert own is not None
    recorder._beat(0.0)
    await written(recorder)
    before = own.strand.records
    recorder._spool._broken = "gone"
    recorder._beat(1e9)
    assert own.strand.records == before
    recorder._spool._broken = ""
    recorder._beat(1e9)
    assert own.strand.records == before + 1
    await recorder.stop(seconds=0.2)
