"""What a string holds in raw deflate (RFC 1951), as base64 or hex: no mark tells it, so it is tried.

gzip, zlib, zip and zstd begin with a mark, and the rule pack takes them whole (`packed-*`). Raw deflate is
how SAML's redirect binding and diagrams in links are written. Only what inflates to text counts; whatever is
found in that text, the whole string is masked.
"""

import re
import zlib

from tachograph.processors.masking.errors import Withheld

MIN_PACKED = 18
"""Bytes; no secret of use fits into less."""
MAX_INFLATED = 4 * 1024 * 1024
"""What one string may inflate to."""
_HEAD = 48
"""So much is inflated first: bytes drawn at random rarely come that far."""
_MIN_HEAD = 16
_MIN_PART = 64
"""Less from what does not end is chance."""
_LOOKED_AT = 1024
_UNPRINTABLE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def inflated(packed: bytes) -> bytes:
    """The text that this is in raw deflate, b"" if it is none; Withheld("decode-limit") beyond the bound.

    One that is cut off gives what can be had of it.
    """
    if len(packed) < MIN_PACKED or not _begins(packed[0]) or _is_text(packed[:MIN_PACKED]):
        return b""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        head = engine.decompress(packed, _HEAD)
        if not _is_text(head):
            return b""
        text = head + engine.decompress(engine.unconsumed_tail, MAX_INFLATED)
    except zlib.error:
        return b""
    if not engine.eof and len(text) >= MAX_INFLATED:
        raise Withheld("decode-limit")
    whole = engine.eof or len(text) >= _MIN_PART
    return text if whole and _is_text(text[:_LOOKED_AT]) else b""


def _begins(byte: int) -> bool:
    """Whether a first block may begin so: of its types 3 is reserved (RFC 1951 3.2.3)."""
    return byte >> 1 & 3 != 3


def _is_text(head: bytes) -> bool:
    if len(head) < _MIN_HEAD or _UNPRINTABLE.search(head):
        return False
    for cut in range(4):  # its last letter may be cut
        try:
            head[: len(head) - cut].decode()
        except UnicodeDecodeError:
            continue
        return True
    return False
