"""Find planted credentials in bytes: whole or in part, as they are or as common encodings write them.

Twelve characters of a secret in a row count as found. Encodings: base64 at all three alignments (and in its
URL alphabet), percent, JSON escapes, hexadecimal; gzip and zlib streams are unpacked, also inside base64.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, quote_plus

from ahocorasick_rs import BytesAhoCorasick

from tachograph.cli.demo.plant import Planted

__all__ = ["WINDOW", "Search", "forms", "unpacked"]

WINDOW = 12
"""Bytes of a secret in a row that count as a leak."""
MAX_PACKED = 1 << 20
MAX_UNPACKED = 16 << 20
"""Bytes of one compressed stream that are looked at, before and after unpacking."""
_MAGICS = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{40,}={0,2}")
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_MAX_STREAMS = 2_000
"""Places in one haystack that are tried as a compressed stream."""


class Search:
    """All secrets of one run, ready to be looked for."""

    def __init__(self, planted: Sequence[Planted]) -> None:
        self._names: list[str] = []
        patterns: list[bytes] = []
        for item in planted:
            windows = {window for part in item.secret for window in _windows(part)}
            patterns += sorted(windows)
            self._names += [item.name] * len(windows)
        self._automaton = BytesAhoCorasick(patterns)

    def found(self, data: bytes) -> set[str]:
        """Names of the credentials of which something stands in `data`."""
        hits: set[str] = set()
        for view in (data, *unpacked(data)):
            hits.update(self._names[number] for number, *_ in self._automaton.find_matches_as_indexes(view))
        return hits


def forms(secret: str) -> Iterator[tuple[bytes, int]]:
    """Each way of writing a secret, with how many bytes of it stand for WINDOW bytes of the secret."""
    raw = secret.encode()
    yield raw, WINDOW
    yield json.dumps(secret)[1:-1].encode(), WINDOW
    yield quote(secret, safe="").encode(), WINDOW
    yield quote_plus(secret).encode(), WINDOW
    yield "".join(f"%{byte:02X}" for byte in raw).encode(), 3 * WINDOW
    yield "".join(f"%{byte:02x}" for byte in raw).encode(), 3 * WINDOW
    yield "".join(f"\\u{byte:04x}" for byte in raw).encode(), 6 * WINDOW
    yield raw.hex().encode(), 2 * WINDOW
    yield raw.hex().upper().encode(), 2 * WINDOW
    for before in range(3):
        # Characters that also encode bytes outside of the secret say nothing: they are cut off.
        encoded = base64.b64encode(bytes(before) + raw)[(0, 2, 3)[before] :]
        sure = encoded.rstrip(b"=")[: (len(raw) * 8 - 6) // 6]
        yield sure, 4 * WINDOW // 3
        yield sure.translate(bytes.maketrans(b"+/", b"-_")), 4 * WINDOW // 3


def unpacked(data: bytes) -> Iterator[bytes]:
    """What compressed streams in `data` hold, and those inside its base64."""
    yield from _inflated(data)
    for match in _BASE64.finditer(data):
        text = match[0].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        decoded = base64.b64decode(text[: len(text) // 4 * 4])
        if _MAGICS.match(decoded):
            yield from _inflated(decoded)


def _windows(part: str) -> Iterator[bytes]:
    for text, width in forms(part):
        for start in range(max(1, len(text) - width + 1)):
            yield text[start : start + width]


def _inflated(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for match in _first(_MAGICS.finditer(data), _MAX_STREAMS):
        stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            text = stream.decompress(view[match.start() : match.start() + MAX_PACKED], MAX_UNPACKED)
        except zlib.error:
            continue
        if text:
            yield text


def _first(items: Iterable[re.Match[bytes]], count: int) -> Iterator[re.Match[bytes]]:
    return (item for _, item in zip(range(count), items, strict=False))
