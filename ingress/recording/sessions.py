"""Which session a request belongs to, and the open strands of this worker's sessions.

A session is what the client claims, else its trace, else who it is on that UTC day, always together with
the verified principal: nobody writes into another's session. Its id is derived with a key, so all workers
agree on it. Strands are closed when idle, when there are too many, or when their time is up.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tachograph.ingress.recording.claims import Claims
from tachograph.ingress.recording.strand import Scope, Strand
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.event import EventType, Principal, PrincipalKind, rfc3339_ns
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey
from tachograph.schemas.payload import SessionCloseMeta, SessionOpenMeta

__all__ = ["MAX_STRANDS", "Basis", "OpenStrand", "SessionNamer", "StrandHead", "Strands", "closing"]

MAX_STRANDS = 4096
"""Strands that one worker keeps open; beyond it the one that was quiet for longest is closed."""
MAX_STRAND_SECONDS = 24 * 3600.0
"""A data key serves no longer, so that shredding it never takes more than a day with it."""
MAX_STRAND_RECORDS = 1 << 20
Basis = Literal["claimed", "trace", "principal"]
CloseReason = Literal["idle", "shutdown"]


class SessionNamer:
    """Derives session ids; the same for the same claim on every worker with the same key."""

    def __init__(self, kek: KeyEncryptionKey) -> None:
        self._key = kek.derive("session id")
        self._known: dict[tuple[str | None, ...], uuid.UUID] = {}

    def name(self, principal: Principal, claims: Claims, *, started_ns: int) -> tuple[uuid.UUID, Basis]:
        """The session's id (UUID version 8) and what it was recognised by."""
        basis, claim = _basis(principal, claims, rfc3339_ns(started_ns)[:10])
        place = (principal.kind, principal.issuer, principal.id, basis, claim, *principal.actors)
        session = self._known.get(place)
        if session is None:
            if len(self._known) >= MAX_STRANDS:
                self._known.clear()
            session = self._known[place] = self._derive(principal, basis, claim)
        return session, basis

    def _derive(self, principal: Principal, basis: Basis, claim: str) -> uuid.UUID:
        who: dict[str, object] = {
            "kind": principal.kind.value,
            "issuer": principal.issuer,
            "id": principal.id,
        }
        if principal.actors:  # who acts for somebody writes into a session of their own
            who["actors"] = list(principal.actors)
        text = canonical_json({"principal": who, "basis": basis, "claim": claim})
        digest = hmac.new(self._key, text, hashlib.sha256).digest()[:16]
        number = int.from_bytes(digest, "big")
        number = number & ~(0xF << 76) | 0x8 << 76  # RFC 9562, 5.8: version 8, our own derivation
        return uuid.UUID(int=number & ~(0x3 << 62) | 0x2 << 62)


def _basis(principal: Principal, claims: Claims, day: str) -> tuple[Basis, str]:
    if principal.kind is PrincipalKind.ANONYMOUS:  # nobody opens sessions at will without an identity
        return "principal", day
    if claims.agent.session is not None:
        return "claimed", claims.agent.session
    if claims.trace_id is not None:
        return "trace", claims.trace_id
    return "principal", day


@dataclass(slots=True, eq=False)
class OpenStrand:
    """A strand in use: how many exchanges hold it, and when it was last touched (monotonic seconds)."""

    strand: Strand
    opened: float
    touched: float
    exchanges: int = 0
    retired: bool = False
    registry: str | None = None
    """That of the last exchange: what the strand's own records are masked by."""


@dataclass(frozen=True, slots=True)
class StrandHead:
    """How far a strand was written at one moment."""

    session: uuid.UUID
    epoch: uuid.UUID
    records: int
    head: str
    open: bool

    @classmethod
    def of(cls, strand: Strand, *, is_open: bool) -> StrandHead:
        return cls(strand.session, strand.epoch, strand.records, strand.last, is_open)

    def said(self) -> dict[str, object]:
        """As heartbeats have it."""
        return {
            "epoch": str(self.epoch),
            "head": self.head,
            "open": self.open,
            "records": self.records,
            "session": str(self.session),
        }


class Strands:
    """The open strands of one worker. What it returns must be spooled in that order."""

    def __init__(
        self,
        *,
        version: str,
        config_digest: str,
        idle_seconds: float,
        limit: int = MAX_STRANDS,
        tell_closed: bool = False,
    ) -> None:
        """With `tell_closed`, `heads` must be asked for now and then: until then closed strands are kept."""
        self._version = version
        self._digest = config_digest
        self._idle = idle_seconds
        self._limit = limit
        self._open: OrderedDict[uuid.UUID, OpenStrand] = OrderedDict()
        self._retired: set[OpenStrand] = set()
        self._closed: list[StrandHead] | None = [] if tell_closed else None

    @property
    def closed(self) -> int:
        """How many were closed since `heads` was asked for."""
        return len(self._closed or ())

    def __len__(self) -> int:
        return len(self._open) + len(self._retired)

    def hold(self, session: uuid.UUID, *, now: float, registry: str | None = None) -> OpenStrand | None:
        """The session's strand for one more exchange; None where one must begin first."""
        found = self._open.get(session)
        if found is None or self._worn(found, now):
            return None
        found.registry = registry
        found.exchanges += 1
        found.touched = now
        self._open.move_to_end(session)
        return found

    def begin(
        self, strand: Strand, wrapped: WrappedKey, basis: Basis, *, now: float, registry: str | None = None
    ) -> list[SpoolEntry]:
        """From now on this is its session's strand; one that is worn ends after its last exchange."""
        worn = self._open.get(strand.session)
        entries = self._retire(strand.session, worn) if worn is not None else []
        entries += self._make_room()
        self._open[strand.session] = OpenStrand(strand, now, now, registry=registry)
        return entries + self._opening(strand, wrapped, basis, registry)

    def release(self, held: OpenStrand, *, now: float) -> list[SpoolEntry]:
        """One exchange is over; closes the strand if it was only waiting for that."""
        held.exchanges -= 1
        held.touched = now
        if held.retired and held.exchanges == 0:
            self._retired.discard(held)
            return [self._closing(held, "idle")]
        return []

    def heads(self) -> list[StrandHead]:
        """The strands that were closed since the last time, then those that are open."""
        gone, self._closed = self._closed or [], [] if self._closed is not None else None
        held = (*self._retired, *self._open.values())
        return [*gone, *(StrandHead.of(one.strand, is_open=True) for one in held)]

    def sweep(self, *, now: float) -> list[SpoolEntry]:
        """Close what was idle for too long."""
        # Held strands may be older than unheld ones, so the whole table is looked through.
        idle = [
            (session, held)
            for session, held in self._open.items()
            if not held.exchanges and now - held.touched >= self._idle
        ]
        return [entry for session, held in idle for entry in self._retire(session, held)]

    def close(self) -> Iterator[SpoolEntry]:
        """The last record of every strand."""
        for held in (*self._open.values(), *self._retired):
            yield self._closing(held, "shutdown")
        self._open.clear()
        self._retired.clear()

    def _opening(
        self, strand: Strand, wrapped: WrappedKey, basis: Basis, registry: str | None
    ) -> list[SpoolEntry]:
        meta = SessionOpenMeta(version=self._version, config_digest=self._digest, basis=basis)
        opening = strand.record(EventType.SESSION_OPEN, meta, scope=Scope(registry=registry))
        return [strand.wrapped_key(wrapped), opening]

    def _make_room(self) -> list[SpoolEntry]:
        if len(self._open) < self._limit:
            return []
        quiet = next(((key, held) for key, held in self._open.items() if not held.exchanges), None)
        # All in use: `ingress.max_connections` bounds them then.
        return self._retire(*quiet) if quiet is not None else []

    def _retire(self, session: uuid.UUID, held: OpenStrand) -> list[SpoolEntry]:
        del self._open[session]
        if not held.exchanges:
            return [self._closing(held, "idle")]
        held.retired = True
        self._retired.add(held)
        return []

    def _worn(self, held: OpenStrand, now: float) -> bool:
        return held.strand.records >= MAX_STRAND_RECORDS or now - held.opened >= MAX_STRAND_SECONDS

    def _closing(self, held: OpenStrand, reason: CloseReason) -> SpoolEntry:
        entry = closing(held.strand, reason, registry=held.registry)
        if self._closed is not None:
            self._closed.append(StrandHead.of(held.strand, is_open=False))
        return entry


def closing(strand: Strand, reason: CloseReason, *, registry: str | None = None) -> SpoolEntry:
    """The last record of a strand: how many there are, and what it ends on."""
    meta = SessionCloseMeta(records=strand.records + 1, reason=reason, last=strand.last)
    return strand.record(EventType.SESSION_CLOSE, meta, scope=Scope(registry=registry))
