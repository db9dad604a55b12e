"""The recorder of one worker: exchanges in, sealed records out, durable before anything is forwarded.

It wires strands, spool and publisher together and is the only part of them that the engine knows. Every
method is for the event loop; the disk and Kafka have their own threads behind it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

import tachograph
from tachograph.ingress.errors import KeysAway, RecorderFull
from tachograph.ingress.metrics import Metrics
from tachograph.ingress.recording.calm import Calm
from tachograph.ingress.recording.claims import ClaimReader
from tachograph.ingress.recording.durability import Durability
from tachograph.ingress.recording.exchange_record import MAX_PIECE_BYTES, ExchangeRecord, Opening, RequestHead
from tachograph.ingress.recording.gateway import Gateway
from tachograph.ingress.recording.kafka_settings import producer_settings
from tachograph.ingress.recording.opening import Openings, Wrapping
from tachograph.ingress.recording.publisher import Publisher, PublisherStatus
from tachograph.ingress.recording.random_bytes import RandomPage
from tachograph.ingress.recording.sessions import OpenStrand, SessionNamer, Strands
from tachograph.ingress.recording.strand import Sources, Strand
from tachograph.ingress.spool.boots import boots_of, follow
from tachograph.ingress.spool.files import Disk, claim_directory
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.ingress.spool.nudge import Nudge
from tachograph.ingress.spool.spool import Spool, SpoolLimits
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import Connection
from tachograph.schemas.envelope import DATA_KEY_BYTES
from tachograph.schemas.event import Principal
from tachograph.schemas.key_ring import KeyProvider
from tachograph.schemas.keys import KeyEncryptionKey
from tachograph.schemas.note import NoteSigner

__all__ = ["MAX_PIECE_BYTES", "ExchangeRecord", "Recorder", "RecorderStatus", "RequestHead", "World"]

TICK_SECONDS = 1.0
"""How often idle sessions, stuck disks and waiting responses are looked after."""
SEED_BYTES = 32
"""Of an Ed25519 key (RFC 8032, 5.1.5)."""
NOT_INTRODUCED = "no data key could be wrapped since the start"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class World:
    """Time, randomness and the disk, as arguments."""

    wall_ns: Callable[[], int] = time.time_ns
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    random: Callable[[int], bytes] = os.urandom
    disk: Disk | None = None


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """What readiness and metrics say about recording. `refusing` is empty while exchanges are admitted."""

    refusing: str
    spool_bytes: int
    spool_max_bytes: int
    strands: int
    kafka: PublisherStatus


class Recorder:
    """Make it with `Recorder.start`, end it with `stop`."""

    def __init__(  # noqa: PLR0913  each by its name
        self,
        config: Configuration,
        *,
        base: Path,
        kek: KeyEncryptionKey,
        keys: KeyProvider,
        metrics: Metrics,
        world: World,
        signer: NoteSigner | None,
    ) -> None:
        self._config = config
        self._world = world
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._boot = uuid.UUID(bytes=world.random(16), version=4)
        self._strand_number = 0
        self._claims = ClaimReader(kek)
        self._names = SessionNamer(kek)
        self._salts = RandomPage(world.random)
        self._sources = Sources(world.wall_ns, self._salts)
        self._durability = Durability(self._loop)
        self._calm = Calm()
        settings = config.ingress.spool
        own, adopted = claim_directory(base / settings.path, str(self._boot))
        self._limits = SpoolLimits(settings.max_bytes, settings.segment_bytes)
        self._spool = Spool(own, adopted, limits=self._limits, listener=self, disk=world.disk)
        self._nudge = Nudge(self._loop, self._spool.wake)
        self._publisher = Publisher(
            self._spool,
            settings=producer_settings(config.kafka, base=base),
            deadletter=config.kafka.topics.deadletter,
        )
        self._strands = Strands(
            version=tachograph.__version__,
            config_digest=config.digest,
            idle_seconds=config.ingress.session_idle,
            tell_closed=signer is not None,
        )
        self._wrapping = Wrapping(keys)
        self._openings = Openings(
            self._wrapping,
            self._strands,
            make=self._make_strand,
            append=self._append,
            admit=self._admitted,
        )
        root, over = base / settings.path, boots_of(adopted)
        self._gateway = None if signer is None else self._own_strand(signer, root, over)
        self._introduced = self._gateway is None
        self._introducing: asyncio.Task[None] | None = None
        self._beats: Iterator[SpoolEntry] = iter(())
        self._ticker: asyncio.TimerHandle | None = None

    @classmethod
    async def start(  # noqa: PLR0913  each by its name
        cls,
        config: Configuration,
        *,
        base: Path,
        kek: KeyEncryptionKey,
        keys: KeyProvider | None = None,
        metrics: Metrics | None = None,
        world: World | None = None,
        signer: NoteSigner | None = None,
    ) -> Recorder:
        """Claim a spool folder, adopt what dead workers left, begin to publish. Raises `SpoolBroken`.

        Kafka need not be there: records wait in the spool. `keys` wraps the data keys, `kek` does by default;
        while it is away no session begins. Without `signer`, the deployment's long-term key, there are no
        heartbeats.
        """
        metrics = metrics or Metrics()
        recorder = cls(
            config,
            base=base,
            kek=kek,
            keys=keys or kek,
            metrics=metrics,
            world=world or World(),
            signer=signer,
        )
        metrics.watch(recorder._gauges)
        recorder._spool.start()
        recorder._publisher.start()
        await recorder._introduce()
        recorder._tick()
        return recorder

    async def stop(self, *, seconds: float) -> bool:
        """Close every session, give Kafka `seconds` to take the rest; True if it took everything.

        What it did not take lies in the spool for the next start.
        """
        if self._ticker is not None:
            self._ticker.cancel()
        if self._introducing is not None:
            self._introducing.cancel()
        self._openings.close()
        count = self._spool.append([*self._beats, *self._strands.close(), *self._farewell()])
        deadline = self._loop.time() + seconds
        try:
            await asyncio.wait_for(self._durability.wait(count), seconds)
        except (TimeoutError, RecorderFull):
            log.error("recorder_stopped_before_durable", reason=self._spool.broken)  # noqa: TRY400  no traceback helps
        left = max(deadline - self._loop.time(), 0.0)
        await asyncio.to_thread(self._publisher.stop, timeout=left, empty=lambda: self._spool.empty)
        delivered = self._spool.empty
        unwritten = await asyncio.to_thread(self._spool.close, timeout=max(deadline - self._loop.time(), 1.0))
        log.info("recorder_stopped", delivered=delivered, unwritten=unwritten)
        return delivered

    # -- for the engine ----------------------------------------------------------------------------

    async def open(  # noqa: PLR0913  one for each fact of the exchange
        self,
        *,
        connection: Connection | None,
        principal: Principal,
        head: RequestHead,
        upstream: str,
        started_ns: int,
        registry: str | None = None,
        injected: tuple[str, ...] = (),
    ) -> ExchangeRecord:
        """Begin an exchange in its session. Raises `RecorderFull` or `KeysAway` where none can be recorded.

        `registry` is how the digest begins of what the exchange is decided by; `injected` are the values that
        must not show anywhere in it.
        """
        self._spool.check(reserve=True)
        if not self._introduced:
            raise KeysAway(NOT_INTRODUCED)
        await self._relieved()
        claims = self._claims.read(head.headers)
        session, basis = self._names.name(principal, claims, started_ns=started_ns)
        held = self._strands.hold(session, now=self._loop.time(), registry=registry)
        if held is None:
            held = await self._openings.held(session, principal, basis, registry=registry)
        opening = Opening(
            exchange=uuid.UUID(bytes=self._salts(16), version=4),
            connection=connection,
            claims=claims,
            head=head,
            upstream=upstream,
            started_ns=started_ns,
            origin_ns=self._world.monotonic_ns() - max(self._world.wall_ns() - started_ns, 0),
            registry=registry,
            injected=injected,
        )
        return ExchangeRecord(self, held, opening)

    @property
    def status(self) -> RecorderStatus:
        return RecorderStatus(
            self._refusing(reserve=True) or ("" if self._introduced else NOT_INTRODUCED),
            self._spool.used_bytes,
            self._limits.max_bytes,
            len(self._strands),
            self._publisher.status,
        )

    # -- for the exchanges (`Journal`) -------------------------------------------------------------

    async def admit(self) -> None:
        self._spool.check(reserve=False)
        await self._relieved()

    def add(self, entry: SpoolEntry) -> int:
        self._nudge.later()
        return self._spool.append((entry,), wake=False)

    async def durable(self, count: int) -> None:
        began = self._world.monotonic_ns()
        self._nudge.soon()
        await self._durability.wait(count)
        self._metrics.durable((self._world.monotonic_ns() - began) / 1e9)

    async def calm(self) -> None:
        if self._refusing(reserve=False):
            await self._calm.wait()
        else:
            await self._relieved()

    def ended(self, held: OpenStrand, *, connection: str | None, error: str | None) -> None:
        self._metrics.exchange_ended(connection, error)
        self._append(self._strands.release(held, now=self._loop.time()))

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, call)

    def monotonic_ns(self) -> int:
        return self._world.monotonic_ns()

    # -- for the spool (`Listener`), from its threads ----------------------------------------------

    def synced(self, count: int) -> None:
        self._durability.synced(count)

    def acknowledged(self, index: int) -> None:
        self._durability.acknowledged(index)

    def broken(self, reason: str) -> None:
        self._loop.call_soon_threadsafe(self._durability.fail, f"the spool's disk fails: {reason}")

    # -- inside ------------------------------------------------------------------------------------

    async def _admitted(self) -> None:
        self._spool.check(reserve=True)
        await self._relieved()

    async def _relieved(self) -> None:
        """A burst beyond what the disk takes at once waits for it; memory stays bounded."""
        if self._spool.pressed:
            self._nudge.soon()
            await self._durability.wait(self._spool.count)

    def _make_strand(self, session: uuid.UUID, principal: Principal) -> Strand:
        """A strand's epoch follows from this boot and its number, so a session can be opened anew."""
        number, self._strand_number = self._strand_number, self._strand_number + 1
        return Strand(
            session=session,
            epoch=uuid.uuid5(self._boot, str(number)),
            principal=principal,
            topics=self._config.kafka.topics,
            sources=self._sources,
            data_key=self._world.random(DATA_KEY_BYTES),
        )

    def _own_strand(self, signer: NoteSigner, root: Path, ended: Sequence[uuid.UUID]) -> Gateway:
        return Gateway(
            self._boot,
            signer,
            self._make_strand,
            self._world.wall_ns,
            seed=self._world.random(SEED_BYTES),
            previous=follow(root, self._boot),
            ended=ended,
        )

    async def _introduce(self) -> None:
        """The boot's own strand comes before all others; until its key is wrapped, each tick tries again."""
        if self._gateway is None:
            return
        try:
            wrapped = await self._wrapping(self._gateway.strand)
        except KeysAway:
            return
        version, digest = tachograph.__version__, self._config.digest
        self._append(self._gateway.opening(wrapped, version=version, config_digest=digest))
        self._introduced = True

    def _farewell(self) -> list[SpoolEntry]:
        """The last heartbeat, which names what was closed just now, and the end of the boot."""
        if self._gateway is None or not self._introduced:
            return []
        return [*self._gateway.beat(self._strands.heads()), self._gateway.close()]

    def _beat(self, now: float) -> None:
        # What is full keeps its room for exchanges; the next heartbeat names what this one would have.
        if self._gateway is None or not self._introduced or self._refusing(reserve=True):
            return
        if self._gateway.due(now, self._strands.closed):
            self._beats = itertools.chain(self._beats, self._gateway.beat(self._strands.heads()))
            self._beat_on()

    def _beat_on(self) -> None:
        """One record at a time, so that thousands of strands hold up no exchange."""
        entry = next(self._beats, None)
        if entry is not None:
            self._append((entry,))
            self._loop.call_soon(self._beat_on)

    def _gauges(self) -> dict[str, float]:
        status = self.status
        return {
            "tacho_ingress_sessions_open": status.strands,
            "tacho_ingress_recorder_refusing": float(bool(status.refusing)),
            "tacho_ingress_keys_away": float(self._wrapping.away),
            "tacho_ingress_spool_bytes": status.spool_bytes,
            "tacho_ingress_spool_max_bytes": status.spool_max_bytes,
            "tacho_ingress_kafka_connected": float(status.kafka.connected),
            "tacho_ingress_kafka_in_flight_bytes": status.kafka.in_flight_bytes,
            "tacho_ingress_kafka_delivered": status.kafka.delivered,
            "tacho_ingress_kafka_refused": status.kafka.dead,
        }

    def _append(self, entries: Sequence[SpoolEntry]) -> None:
        if entries:
            self._spool.append(entries)

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)
        now = self._loop.time()
        self._append(self._strands.sweep(now=now))
        self._beat(now)
        if not self._introduced and (self._introducing is None or self._introducing.done()):
            self._introducing = self._loop.create_task(self._introduce())
        self._durability.expire()
        refusing = self._refusing(reserve=False)
        if refusing:
            self._calm.expire(refusing)
        else:
            self._calm.release()

    def _refusing(self, *, reserve: bool) -> str:
        try:
            self._spool.check(reserve=reserve)
        except RecorderFull as full:
            return full.detail
        return ""
