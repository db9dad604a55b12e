"""A session is opened once for all who wait, within a bound, and not at all while its key is not wrapped."""

import asyncio
import contextlib
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.credentials.errors import VaultDown, VaultRefused
from tachograph.ingress.errors import KeysAway, RecorderFull
from tachograph.ingress.recording import opening, recorder
from tachograph.ingress.recording.opening import Openings, Wrapping
from tachograph.ingress.recording.recorder import Recorder, RequestHead
from tachograph.ingress.recording.sessions import Strands
from tachograph.ingress.recording.strand import Sources, Strand
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.config import Configuration, Kafka
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.topics import Topics

SECONDS = 30.0
BOT = Principal(id="bot", kind=PrincipalKind.API_KEY)
ONE = uuid.UUID(int=1)


class Elsewhere(KeyEncryptionKey):
    """Answers when it is let, in its thread, or raises what it is told."""

    local = False

    def __init__(self) -> None:
        super().__init__(b"k" * 32)
        self.asked: list[str] = []
        self.answers = threading.Event()
        self.answers.set()
        self.error: Exception | None = None

    def wrap(self, strand: str, data_key: bytes) -> WrappedKey:
        self.asked.append(strand)
        assert self.answers.wait(SECONDS)
        if self.error is not None:
            raise self.error
        return super().wrap(strand, data_key)


@pytest.fixture
def keys() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.answers.set()


class Table:
    """Strands that are opened, and what is recorded for it."""

    def __init__(self, keys: KeyEncryptionKey, *, seconds: float = SECONDS, limit: int = 4096) -> None:
        self.strands = Strands(version="1", config_digest="c", idle_seconds=100.0, limit=limit)
        self.entries: list[SpoolEntry] = []
        self.full = False
        self.openings = Openings(
            Wrapping(keys, seconds=seconds),
            self.strands,
            make=self.make,
            append=self.entries.extend,
            admit=self.admit,
        )

    def make(self, session: uuid.UUID, principal: Principal) -> Strand:
        sources = Sources(lambda: 0, bytes)
        return Strand(session, uuid.uuid4(), principal, Topics(), sources, data_key=b"d" * 32)

    async def admit(self) -> None:
        if self.full:
            raise RecorderFull("full")

    async def held(self, session: uuid.UUID = ONE) -> Any:
        return await self.openings.held(session, BOT, "claimed", registry=None)

    @property
    def kinds(self) -> list[str]:
        return [entry.topic.rpartition(".")[2] for entry in self.entries]


async def until(holds: Callable[[], bool]) -> None:
    """Let others run until it holds, for a bounded time."""
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110  a thread makes it so
            await asyncio.sleep(0.001)


async def test_a_local_key_opens_a_session_without_a_turn_of_the_loop() -> None:
    """The first request of a session waits for nobody; the whole opening is one step."""
    table = Table(KeyEncryptionKey(b"k" * 32))
    step = table.held()
    with pytest.raises(StopIteration) as ended:
        step.send(None)
    assert ended.value.value.strand.session == ONE
    assert table.kinds == ["keys", "raw"]
    table.openings.close()


async def test_all_who_want_a_session_share_its_opening(keys: Elsewhere) -> None:
    """One question, one strand, one key record ahead of one `session.open`; another session has its own."""
    table = Table(keys)
    keys.answers.clear()
    waiting = [asyncio.create_task(table.held()) for _ in range(5)]
    other = asyncio.create_task(table.held(uuid.UUID(int=2)))
    await until(lambda: len(keys.asked) == 2)
    assert table.entries == []
    keys.answers.set()
    held = await asyncio.gather(*waiting)
    assert len({id(one) for one in held}) == 1
    assert held[0].exchanges == 5
    assert (await other).strand.session == uuid.UUID(int=2)
    assert (len(keys.asked), table.kinds) == (2, ["keys", "raw"] * 2)
    table.openings.close()


async def test_an_agent_that_leaves_takes_the_opening_from_nobody(keys: Elsewhere) -> None:
    """Not even the one who was first; and where all have left, the strand is there for the next."""
    table = Table(keys)
    keys.answers.clear()
    first, second = (asyncio.create_task(table.held()) for _ in range(2))
    await until(lambda: len(keys.asked) == 1)
    first.cancel()
    keys.answers.set()
    held = await second
    assert (held.exchanges, first.cancelled(), len(keys.asked)) == (1, True, 1)
    keys.answers.clear()
    gone = asyncio.create_task(table.held(uuid.UUID(int=2)))
    await until(lambda: len(keys.asked) == 2)
    gone.cancel()
    keys.answers.set()
    await until(lambda: len(table.strands) == 2)
    assert table.strands.hold(uuid.UUID(int=2), now=0) is not None
    table.openings.close()


@pytest.mark.parametrize(
    "error", [VaultDown("Vault at https://vault.internal: sealed"), VaultRefused("vault.internal denied")]
)
async def test_a_provider_that_is_away_refuses_all_who_wait(keys: Elsewhere, error: Exception) -> None:
    """Nothing is recorded, no agent learns where the provider is, and the next exchange asks again."""
    table = Table(keys)
    keys.error = error
    keys.answers.clear()
    waiting = [asyncio.create_task(table.held()) for _ in range(3)]
    await until(lambda: len(keys.asked) == 1)
    keys.answers.set()
    for refusal in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(refusal, KeysAway)
        assert (refusal.status, refusal.retry_after) == (503, 5)
        assert "vault" not in refusal.detail
    assert (table.entries, len(table.strands)) == ([], 0)
    keys.error = None
    await table.held()
    assert (len(keys.asked), table.kinds) == (2, ["keys", "raw"])
    table.openings.close()


async def test_a_provider_that_is_silent_is_given_up(keys: Elsewhere) -> None:
    """After the bound; what it says later opens nothing."""
    table = Table(keys, seconds=0.01)
    keys.answers.clear()
    with pytest.raises(KeysAway, match=r"within 0\.01 s"):
        await table.held()
    keys.answers.set()
    await asyncio.sleep(0)
    assert (table.entries, len(table.strands)) == ([], 0)
    table.openings.close()


async def test_who_has_waited_is_admitted_anew(keys: Elsewhere) -> None:
    """The spool may have filled meanwhile."""
    table = Table(keys)
    table.full = True
    with pytest.raises(RecorderFull):
        await table.held()
    assert [held.exchanges for held in table.strands._open.values()] == [0]
    table.openings.close()


async def test_a_table_that_closes_what_is_opened_is_given_up(keys: Elsewhere) -> None:
    """So many tries, and then a refusal: nothing waits for ever."""
    table = Table(keys)

    async def closed() -> None:
        table.strands.sweep(now=1e12)

    table.openings._admit = closed
    with pytest.raises(KeysAway, match="more sessions"):
        await table.held()
    assert len(keys.asked) == opening.OPEN_TRIES
    table.openings.close()


async def test_what_is_under_way_at_the_end_opens_nothing(keys: Elsewhere) -> None:
    """No strand begins once all have been closed."""
    table = Table(keys)
    keys.answers.clear()
    waiting = asyncio.create_task(table.held())
    await until(lambda: len(keys.asked) == 1)
    table.openings.close()
    keys.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (table.entries, len(table.strands)) == ([], 0)


async def test_an_outage_is_logged_once_in_a_while(
    keys: Elsewhere, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the provider's own words, which no agent gets."""
    monkeypatch.setattr(opening, "LOG_SECONDS", 1e9)  # however slow the machine
    table = Table(keys)
    keys.error = VaultDown("Vault at https://vault.internal: sealed")
    for _ in range(3):
        with pytest.raises(KeysAway):
            await table.held()
    monkeypatch.setattr(opening, "LOG_SECONDS", 0.0)
    with pytest.raises(KeysAway):
        await table.held()
    assert "".join(capsys.readouterr()).count("vault.internal") == 2
    table.openings.close()


@contextlib.asynccontextmanager
async def recording(path: Path, keys: Elsewhere) -> AsyncIterator[Recorder]:
    """A recorder with heartbeats whose Kafka is away."""
    signer = NoteSigner("tachograph/test/gateway", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    config = Configuration(kafka=Kafka(bootstrap_servers="127.0.0.1:1"))
    made = await Recorder.start(config, base=path, kek=KeyEncryptionKey(b"k" * 32), keys=keys, signer=signer)
    try:
        yield made
    finally:
        await made.stop(seconds=0.1)


async def exchange(made: Recorder) -> None:
    record = await made.open(
        connection=None,
        principal=BOT,
        head=RequestHead("GET", "/", "1.1", (), ""),
        upstream="",
        started_ns=0,
    )
    record.end()


async def test_a_boot_introduces_itself_before_any_session(
    keys: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its own strand's key nothing is admitted; it tries again until the provider is there."""
    monkeypatch.setattr(recorder, "TICK_SECONDS", 0.01)
    keys.error = VaultDown("away")
    async with recording(tmp_path, keys) as made:
        assert made.status.refusing == recorder.NOT_INTRODUCED
        with pytest.raises(KeysAway):
            await exchange(made)
        assert made._spool.count == 0
        keys.error = None
        await until(lambda: not made.status.refusing)
        assert made._spool.count == 2
        await exchange(made)
        assert made._spool.count > 4


async def test_an_open_session_needs_no_provider(keys: Elsewhere, tmp_path: Path) -> None:
    """Its key is in memory; only what begins is refused."""
    async with recording(tmp_path, keys) as made:
        await exchange(made)
        assert made._gauges()["tacho_ingress_keys_away"] == 0
        asked = len(keys.asked)
        keys.error = VaultDown("away")
        await exchange(made)
        assert len(keys.asked) == asked
        assert made.status.refusing == ""


async def test_an_outage_shows_in_the_metrics_until_it_is_over(keys: Elsewhere, tmp_path: Path) -> None:
    """For an alarm: what is open goes on, so nothing else would tell."""
    async with recording(tmp_path, keys) as made:
        keys.error = VaultDown("away")
        with pytest.raises(KeysAway):
            await exchange(made)
        assert made._gauges()["tacho_ingress_keys_away"] == 1
        keys.error = None
        await exchange(made)
        assert made._gauges()["tacho_ingress_keys_away"] == 0
