"""The gateway's own strand of one boot: who it is, signed, and every few seconds which strands it writes.

A boot's key never leaves this process's memory; the first record certifies it by the deployment's long-term
key. Making a heartbeat waits for nobody and nobody waits for it. No I/O: entries for the spool come out.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.ingress.recording.sessions import StrandHead, closing
from tachograph.ingress.recording.strand import Strand
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.event import EventType, Principal, PrincipalKind, rfc3339_ns
from tachograph.schemas.heartbeat import (
    MAX_ENDED,
    MAX_NAMED,
    BootCertificate,
    gateway_session,
    heartbeat_message,
)
from tachograph.schemas.keys import WrappedKey
from tachograph.schemas.note import NoteSigner
from tachograph.schemas.payload import SessionOpenMeta

__all__ = ["GATEWAY", "HEARTBEAT_SECONDS", "MAX_CLOSED", "Gateway"]

HEARTBEAT_SECONDS: Final = 10.0
MAX_CLOSED: Final = 4096
"""Strands closed since the last heartbeat; with so many the next one does not wait for its time."""
GATEWAY = Principal(id="gateway", kind=PrincipalKind.GATEWAY)


@dataclass(slots=True, eq=False)
class Gateway:
    """One boot. `make` makes its strand; `seed` are 32 random bytes for its key."""

    boot: uuid.UUID
    signer: NoteSigner
    make: Callable[[uuid.UUID, Principal], Strand]
    clock: Callable[[], int]
    seed: bytes = field(repr=False)
    previous: uuid.UUID | None = None
    ended: Sequence[uuid.UUID] = ()
    """Boots that are over, and whose spools this one took over: nobody else can say that they are."""
    strand: Strand = field(init=False, repr=False)
    _key: Ed25519PrivateKey = field(init=False, repr=False)
    _number: int = field(init=False, default=0)
    _beaten: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.seed = b""
        self.strand = self.make(gateway_session(self.boot), GATEWAY)

    def opening(self, wrapped: WrappedKey, *, version: str, config_digest: str) -> list[SpoolEntry]:
        """The strand's key as it was wrapped, and the record that certifies the boot."""
        certificate = BootCertificate(
            boot=str(self.boot),
            key=base64.b64encode(self._key.public_key().public_bytes_raw()).decode(),
            issued=rfc3339_ns(self.clock()),
            previous=None if self.previous is None else str(self.previous),
            ended=tuple(map(str, self.ended[:MAX_ENDED])) or None,
        )
        meta = SessionOpenMeta(
            version=version,
            config_digest=config_digest,
            basis="boot",
            boot=certificate,
            boot_note=self.signer.sign(certificate.text()),
        )
        return [self.strand.wrapped_key(wrapped), self.strand.record(EventType.SESSION_OPEN, meta)]

    def due(self, now: float, closed: int) -> bool:
        """Whether a heartbeat is to be made at this monotonic time, with so many strands newly closed."""
        if self._beaten is None:
            self._beaten = now
        if now - self._beaten < HEARTBEAT_SECONDS and closed < MAX_CLOSED:
            return False
        self._beaten = now
        return True

    def beat(self, heads: Sequence[StrandHead]) -> Iterator[SpoolEntry]:
        """The records of one heartbeat, each made when it is asked for; each names this strand first."""
        at = rfc3339_ns(self.clock())
        room = MAX_NAMED - 1
        for start in range(0, max(len(heads), 1), room):
            named = [StrandHead.of(self.strand, is_open=True), *heads[start : start + room]]
            yield self._record(at, named, last=start + room >= len(heads))

    def close(self) -> SpoolEntry:
        """The end of the boot."""
        return closing(self.strand, "shutdown")

    def _record(self, at: str, named: Sequence[StrandHead], *, last: bool) -> SpoolEntry:
        # `Heartbeat`, written without a model as headers are: with thousands of strands it takes its time.
        canonical = canonical_json(
            {
                "at": at,
                "boot": str(self.boot),
                "last": last,
                "number": self._number,
                "strands": [head.said() for head in named],
            }
        )
        signature = base64.b64encode(self._key.sign(heartbeat_message(canonical)))
        meta = b'{"heartbeat":%b,"kind":"heartbeat","signature":"%b"}' % (canonical, signature)
        self._number += 1
        return self.strand.record(EventType.HEARTBEAT, meta)
