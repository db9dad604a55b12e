"""A session of planted secrets: exchanges as the gateway would record them, sealed; no I/O.

Each round is a session of its own, under its own key, whose principal is `tacho-canary`: it is recorded,
masked, stored and verified like any other, and cannot be taken for an agent's. Direction, protocol and cuts
into chunk records go round, so that a round of twelve exchanges takes every branch; contents, codings and
values come from the seeds.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.processors.masking.canaries import Exchange, Plant, exchange, survivors
from tachograph.processors.masking.parts import MaskedPart, Part
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.envelope import DATA_KEY_BYTES, seal
from tachograph.schemas.event import (
    GENESIS,
    Direction,
    EventType,
    Header,
    Principal,
    PrincipalKind,
    Protocol,
    event_uid,
    header_hash,
    rfc3339_ns,
)
from tachograph.schemas.key_ring import KeyProvider
from tachograph.schemas.keys import WrappedKey, strand_name
from tachograph.schemas.payload import (
    SALT_BYTES,
    BodyTotals,
    ChunkMeta,
    HeaderField,
    Meta,
    RequestLine,
    RequestMeta,
    ResponseMeta,
    SessionCloseMeta,
    SessionOpenMeta,
    Timing,
    encode_payload,
    raw_commit,
)

__all__ = ["CONNECTION", "PRINCIPAL", "CanarySession", "leaked", "plant_session"]

PRINCIPAL = CONNECTION = "tacho-canary"
MAX_CUTS = 12
"""Chunk records of one body at most."""
_PROTOCOLS = tuple(Protocol)

Clock = Callable[[], int]
Randomness = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class CanarySession:
    """What to publish, what must come out on the other side, and what may not be readable there."""

    id: uuid.UUID
    key: WrappedKey
    records: tuple[bytes, ...] = field(repr=False)
    expected: frozenset[str] = field(repr=False)
    """The uids of all records: each becomes one event."""
    plants: tuple[Plant, ...] = field(repr=False)


def plant_session(
    seeds: Sequence[int], *, kek: KeyProvider, clock: Clock, randomness: Randomness
) -> CanarySession:
    """One session with an exchange for each seed; `clock` gives Unix nanoseconds."""
    strand = _Strand(kek, clock, randomness)
    strand.add(SessionOpenMeta(version="canary", config_digest="0" * 64, basis="principal"))
    plants: list[Plant] = []
    for number, seed in enumerate(seeds):
        one = exchange(seed)
        strand.protocol = _PROTOCOLS[number % len(_PROTOCOLS)]
        direction = Direction.REQUEST if number // 3 % 2 == 0 else Direction.RESPONSE
        _record(strand, one, direction, random.Random(seed) if number // 6 % 2 else None)  # noqa: S311  cuts
        plants += one.plants
    strand.protocol = None
    strand.add(SessionCloseMeta(records=len(strand.records) + 1, reason="shutdown"))
    return CanarySession(
        strand.session, strand.wrapped, tuple(strand.records), frozenset(strand.uids), tuple(plants)
    )


def leaked(values: Iterable[bytes], plants: Sequence[Plant]) -> list[Plant]:
    """The plants that can be read in a session's events, in any reading, also joined over the events."""
    joined = b"\n".join(values)
    return survivors([MaskedPart("events", joined, None, len(joined), ())], plants)


class _Strand:
    """Seals the records of one session in order."""

    def __init__(self, kek: KeyProvider, clock: Clock, randomness: Randomness) -> None:
        self._clock, self._randomness = clock, randomness
        self.session = uuid.UUID(bytes=randomness(16), version=4)
        self._epoch = uuid.UUID(bytes=randomness(16), version=4)
        data_key = randomness(DATA_KEY_BYTES)
        self._cipher = AESGCM(data_key)
        self.wrapped = kek.wrap(strand_name(self.session, self._epoch), data_key)
        self._prev = GENESIS
        self.protocol: Protocol | None = None
        self.records: list[bytes] = []
        self.uids: list[str] = []

    def new_exchange(self) -> uuid.UUID:
        return uuid.UUID(bytes=self._randomness(16), version=4)

    def add(
        self,
        meta: Meta,
        body: bytes = b"",
        *,
        of: uuid.UUID | None = None,
        direction: Direction = Direction.NONE,
    ) -> None:
        payload = encode_payload(meta, body, salt=self._randomness(SALT_BYTES))
        seq = len(self.records)
        header = Header(
            uid=event_uid(self.session, self._epoch, seq),
            type=EventType(meta.kind),
            ts=rfc3339_ns(self._clock()),
            session=self.session,
            epoch=self._epoch,
            seq=seq,
            prev=self._prev,
            exchange=of,
            connection=CONNECTION if of else None,
            protocol=self.protocol,
            direction=direction,
            principal=Principal(id=PRINCIPAL, kind=PrincipalKind.GATEWAY),
            raw_commit=raw_commit(payload),
            raw_len=len(body),
        )
        canonical = header.canonical()
        self._prev = header_hash(canonical)
        self.records.append(seal(canonical, seq, payload, cipher=self._cipher))
        self.uids.append(str(header.uid))


def _record(strand: _Strand, one: Exchange, direction: Direction, cuts: random.Random | None) -> None:
    """The exchange's record, with the body in chunk records before it where it is cut."""
    parts = {part.name: part for part in one.parts}
    body = parts["body"]
    pieces = list(_pieces(body.data, cuts)) if cuts else []
    of = strand.new_exchange()
    if direction is Direction.RESPONSE:  # an answer without its request would be withheld
        strand.add(_request(parts["url"].data.decode()), of=of, direction=Direction.REQUEST)
    offset = 0
    for index, piece in enumerate(pieces):
        sha256 = sha256_hex(body.data[: offset + len(piece)])
        meta = ChunkMeta(
            index=index,
            offset=offset,
            sha256=sha256,
            content_type=body.content_type,
            content_encoding=body.content_encoding,
        )
        strand.add(meta, piece, of=of, direction=direction)
        offset += len(piece)
    closing = _closing(parts, direction, len(pieces))
    strand.add(closing, b"" if pieces else body.data, of=of, direction=direction)


def _pieces(data: bytes, cuts: random.Random) -> Iterator[bytes]:
    marks = sorted(set(cuts.choices(range(1, len(data)), k=MAX_CUTS - 1)))
    for start, end in zip([0, *marks], [*marks, len(data)], strict=True):
        yield data[start:end]


def _request(target: str) -> RequestMeta:
    """A request without fields and body."""
    line = RequestLine(method="POST", target=target, upstream="https://canary.invalid")
    empty = BodyTotals(length=0, sha256=sha256_hex(b""))
    return RequestMeta(line=line, http_version="1.1", headers=(), client="", body=empty)


def _closing(parts: dict[str, Part], direction: Direction, chunks: int) -> RequestMeta | ResponseMeta:
    body = parts["body"]
    headers: list[HeaderField] = [(name, value) for name, value in orjson.loads(parts["headers"].data)]
    headers.append(("Content-Type", body.content_type or "text/plain"))
    if body.content_encoding:
        headers.append(("Content-Encoding", body.content_encoding))
    line = _request(parts["url"].data.decode()).line
    totals = BodyTotals(length=len(body.data), sha256=sha256_hex(body.data), chunks=chunks)
    if direction is Direction.REQUEST:
        return RequestMeta(line=line, http_version="1.1", headers=tuple(headers), client="", body=totals)
    return ResponseMeta(
        status=200,
        http_version="1.1",
        headers=tuple(headers),
        origin="upstream",
        request=line,
        body=totals,
        timing=Timing(start=0, end=0),
    )
