"""The control of the experiment: with the key, the raw topic does hold every planted credential.

A search that finds nothing proves nothing unless the same search finds everything where it must be. Opening
the records also checks what they promise: commitment to the bytes, and an unbroken chain of headers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.cli.demo.evidence import Message
from tachograph.cli.demo.leaks import Search
from tachograph.cli.demo.streams import joined_deltas
from tachograph.schemas.envelope import open_sealed, parse_sealed
from tachograph.schemas.errors import RecordError
from tachograph.schemas.event import GENESIS, Header, header_hash
from tachograph.schemas.key_ring import KeyProvider
from tachograph.schemas.keys import WrappedKey, strand_name
from tachograph.schemas.payload import ChunkMeta, Payload, decode_payload

__all__ = ["Control", "examine"]


@dataclass(frozen=True, slots=True)
class Control:
    """What the opened records show."""

    recorded: set[str]
    """Names of the credentials that are on record, encrypted."""
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Opened:
    """Everything that one pass over the raw topic gathers; a record that was sent twice counts once."""

    headers: dict[UUID, Header] = field(default_factory=dict)
    chunks: dict[tuple[UUID | None, str], list[tuple[int, bytes]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    texts: list[bytes] = field(default_factory=list)
    broken: int = 0


def examine(raw: Sequence[Message], keys: Sequence[Message], search: Search, kek: KeyProvider) -> Control:
    """Open every raw record, look for the planted credentials in it, follow every strand's chain."""
    ciphers = _ciphers(keys, kek)
    opened = _Opened()
    for message in raw:
        _open(message.value, ciphers, opened)
    for pieces in opened.chunks.values():
        opened.texts.append(b"".join(body for _, body in sorted(pieces)))
    recorded: set[str] = set()
    for text in opened.texts:
        recorded |= search.found(text)
        for joined in joined_deltas(text.decode(errors="replace")):
            recorded |= search.found(joined.encode())
    return Control(recorded, tuple(_problems(opened)))


def _ciphers(keys: Sequence[Message], kek: KeyProvider) -> dict[str, AESGCM]:
    wrapped = (WrappedKey.decode(message.value) for message in keys if message.value)
    return {key.strand: kek.unwrap(key) for key in wrapped}


def _open(value: bytes, ciphers: dict[str, AESGCM], opened: _Opened) -> None:
    try:
        record = parse_sealed(value)
        header = record.header
        payload = decode_payload(
            open_sealed(record, cipher=ciphers[strand_name(header.session, header.epoch)])
        )
    except (RecordError, KeyError):
        opened.broken += 1
        return
    if header.uid in opened.headers:
        return
    opened.headers[header.uid] = header
    _keep(header, payload, opened)


def _keep(header: Header, payload: Payload, opened: _Opened) -> None:
    opened.texts.append(payload.meta.model_dump_json().encode())
    if isinstance(payload.meta, ChunkMeta):
        opened.chunks[header.exchange, header.direction].append((payload.meta.index, payload.body))
    else:
        opened.texts.append(payload.body)


def _problems(opened: _Opened) -> Iterator[str]:
    if opened.broken:
        yield f"{opened.broken} raw records cannot be opened, or are not what their headers commit to"
    strands: dict[str, list[Header]] = defaultdict(list)
    for header in opened.headers.values():
        strands[strand_name(header.session, header.epoch)].append(header)
    for name, headers in strands.items():
        previous = GENESIS
        for number, header in enumerate(sorted(headers, key=lambda item: item.seq)):
            if (header.seq, header.prev) != (number, previous):
                yield f"strand {name}: the chain of records is broken at {number}"
                break
            previous = header_hash(header.canonical())
