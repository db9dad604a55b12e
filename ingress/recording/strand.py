"""One strand: the records that one process writes of one session, numbered without a gap and chained.

`prev` of each record is the hash of the header before it, so a record that is altered, left out or moved
shows. The data key lives as long as the strand; its wrapped form goes ahead of the first record. No I/O:
clock, salt and ids come in; sealed bytes go out.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.ingress.recording.claims import NO_CLAIMS, Claims
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.canonical import canonical_json
from tachograph.schemas.connection import Connection
from tachograph.schemas.envelope import DATA_KEY_BYTES, seal
from tachograph.schemas.event import (
    GENESIS,
    HEADER_VERSION,
    Direction,
    EventType,
    Principal,
    header_hash,
    rfc3339_ns,
    strand_uids,
)
from tachograph.schemas.keys import WrappedKey, strand_name
from tachograph.schemas.payload import SALT_BYTES, Meta, encode_payload, raw_commit
from tachograph.schemas.topics import Topics

__all__ = ["Scope", "Sources", "Strand"]

_NO_AGENT = NO_CLAIMS.agent.model_dump()


@dataclass(frozen=True, slots=True)
class Sources:
    """What a strand may not take for itself: the wall clock (Unix ns) and secure random bytes."""

    clock: Callable[[], int]
    random: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Scope:
    """What all records of one exchange have in common."""

    exchange: uuid.UUID | None = None
    connection: Connection | None = None
    claims: Claims = NO_CLAIMS
    registry: str | None = None
    """How the digest of the registry begins by which it is decided."""
    fields: dict[str, object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read once what every header of the exchange repeats."""
        fields: dict[str, object] = {
            "exchange": self.exchange,
            "connection": self.connection.name if self.connection else None,
            "protocol": self.connection.protocol if self.connection else None,
            "agent": _NO_AGENT if self.claims is NO_CLAIMS else self.claims.agent.model_dump(),
            "trace": self.claims.trace.model_dump() if self.claims.trace else None,
        }
        if self.registry is not None:
            fields["registry"] = self.registry
        object.__setattr__(self, "fields", fields)


@dataclass(slots=True, eq=False)
class Strand:
    """The single writer of (session, epoch). `records` is also the next `seq`."""

    session: uuid.UUID
    epoch: uuid.UUID
    principal: Principal
    topics: Topics
    sources: Sources
    data_key: bytes = field(repr=False)
    records: int = 0
    last: str = GENESIS
    _cipher: AESGCM = field(init=False, repr=False)
    _who: dict[str, object] = field(init=False, repr=False)
    _uid: Callable[[int], str] = field(init=False, repr=False)
    _session: str = field(init=False, repr=False)
    _epoch: str = field(init=False, repr=False)
    _topic: str = field(init=False, repr=False)
    _key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.data_key) != DATA_KEY_BYTES:
            raise ValueError(f"data key: expected {DATA_KEY_BYTES} bytes, got {len(self.data_key)}")
        self._cipher = AESGCM(self.data_key)
        self._who = self.principal.model_dump()
        self._uid = strand_uids(self.session, self.epoch)
        self._session, self._epoch = str(self.session), str(self.epoch)
        self._topic, self._key = self.topics.raw, self._session.encode()

    @property
    def name(self) -> str:
        """What its key is called on the keys topic."""
        return strand_name(self.session, self.epoch)

    def wrapped_key(self, wrapped: WrappedKey) -> SpoolEntry:
        """The strand's key for the keys topic; it must lie before the first record."""
        return SpoolEntry(self.topics.keys, self.name.encode(), wrapped.encode())

    def record(
        self,
        type_: EventType,
        meta: Meta | bytes,
        body: bytes = b"",
        *,
        scope: Scope = Scope(),
        direction: Direction = Direction.NONE,
        incomplete: bool = False,
    ) -> SpoolEntry:
        """The next record, sealed. Nothing is counted if it raises."""
        payload = encode_payload(meta, body, salt=self.sources.random(SALT_BYTES))
        seq = self.records
        uid = self._uid(seq)
        # `Header`, written without a model: every value comes from a typed source. That `Header.parse` takes
        # it back is what the tests hold it to, and what every reader does.
        header = {
            "v": HEADER_VERSION,
            "uid": uid,
            "type": type_,
            "ts": rfc3339_ns(self.sources.clock()),
            "session": self._session,
            "epoch": self._epoch,
            "seq": seq,
            "prev": self.last,
            "direction": direction,
            "principal": self._who,
            "raw_commit": raw_commit(payload),
            "raw_len": len(payload),
            "incomplete": incomplete,
            **scope.fields,
        }
        canonical = canonical_json(header)
        value = seal(canonical, seq, payload, cipher=self._cipher)
        self.records, self.last = seq + 1, header_hash(canonical)
        headers = (("uid", uid.encode()), ("type", type_.value.encode()))
        return SpoolEntry(self._topic, self._key, value, headers)
