"""One spool entry as bytes, and back: what a Kafka message needs, framed so that a torn end shows.

Frame: "TS" | version 1 | 0 | 4 bytes big-endian length of body | CRC-32 | body. The CRC covers everything
but itself. Values are sealed before they come here, so a frame holds no clear byte of a payload.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

__all__ = [
    "FRAME_OVERHEAD",
    "MAX_BODY_BYTES",
    "BadFrame",
    "SpoolEntry",
    "decode_frame",
    "encode_frame",
    "find_frame",
]

_MAGIC = b"TS"
_VERSION = 1
_HEAD = struct.Struct(">2sBBI")
_CRC = struct.Struct(">I")
_NAMES = struct.Struct(">HHB")
_FIELD = struct.Struct(">HI")
FRAME_OVERHEAD = _HEAD.size + _CRC.size + _NAMES.size
MAX_BODY_BYTES = 4 << 20
"""A sealed record is at most 256 KiB of body and 1 MiB of meta; anything longer is no frame of ours."""


class BadFrame(Exception):
    """No whole, unaltered frame starts here. Its text holds no byte of the entry."""


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """One message for Kafka. `repr` shows sizes only."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    def __repr__(self) -> str:
        return f"SpoolEntry(topic={self.topic!r}, value=<{len(self.value)} bytes>)"


def encode_frame(entry: SpoolEntry) -> bytes:
    """Frame an entry; refuses one that `decode_frame` would not take back."""
    topic = entry.topic.encode()
    parts = [_NAMES.pack(len(topic), len(entry.key), len(entry.headers)), topic, entry.key]
    for name, value in entry.headers:
        label = name.encode()
        parts += (_FIELD.pack(len(label), len(value)), label, value)
    parts.append(entry.value)
    body = b"".join(parts)
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"spool entry: expected at most {MAX_BODY_BYTES} bytes, got {len(body)}")
    head = _HEAD.pack(_MAGIC, _VERSION, 0, len(body))
    return b"".join((head, _CRC.pack(zlib.crc32(body, zlib.crc32(head))), body))


def decode_frame(data: bytes | memoryview, offset: int = 0) -> tuple[SpoolEntry, int]:
    """The entry that starts at `offset` and the offset behind it; raises `BadFrame`."""
    view = memoryview(data)
    start = offset + _HEAD.size + _CRC.size
    if start > len(view):
        raise BadFrame("cut short in the frame's head")
    magic, version, flags, length = _HEAD.unpack_from(view, offset)
    if (magic, version, flags) != (_MAGIC, _VERSION, 0):
        raise BadFrame(f"expected a frame of version {_VERSION}")
    if length > MAX_BODY_BYTES or start + length > len(view):
        raise BadFrame(f"a body of {length} bytes does not fit")
    body = view[start : start + length]
    (crc,) = _CRC.unpack_from(view, offset + _HEAD.size)
    if zlib.crc32(body, zlib.crc32(view[offset : offset + _HEAD.size])) != crc:
        raise BadFrame("the checksum does not match")
    return _decode_body(body), start + length


def find_frame(data: bytes, offset: int) -> int | None:
    """Where the next whole frame at or behind `offset` starts; None where there is none."""
    at = data.find(_MAGIC, offset)
    while at >= 0:
        try:
            decode_frame(data, at)
        except BadFrame:
            at = data.find(_MAGIC, at + 1)
        else:
            return at
    return None


def _decode_body(body: memoryview) -> SpoolEntry:
    try:
        topic_len, key_len, count = _NAMES.unpack_from(body)
        at = _NAMES.size
        topic, at = _take(body, at, topic_len)
        key, at = _take(body, at, key_len)
        headers = []
        for _ in range(count):
            name_len, value_len = _FIELD.unpack_from(body, at)
            name, at = _take(body, at + _FIELD.size, name_len)
            value, at = _take(body, at, value_len)
            headers.append((name.decode(), value))
        return SpoolEntry(topic.decode(), key, bytes(body[at:]), tuple(headers))
    except (struct.error, UnicodeDecodeError):
        raise BadFrame("its parts contradict each other") from None


def _take(body: memoryview, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(body):
        raise BadFrame("its parts contradict each other")
    return bytes(body[at : at + length]), at + length
