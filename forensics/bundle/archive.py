"""The file around a bundle's files: a ZIP of stored entries in exactly one form, so nothing can hide in it.

No compression, no dates, no attributes, no comments, no second names: what is read must be, byte for byte,
what `pack` would write. Ordinary tools open it; docs/spec/bundle.md has the layout.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping

__all__ = [
    "MAX_BUNDLE_BYTES",
    "MAX_ENTRIES",
    "MAX_FILE_BYTES",
    "ArchiveRefused",
    "ArchiveTooLarge",
    "numbered",
    "pack",
    "unpack",
]

MAX_BUNDLE_BYTES = 1 << 30
MAX_ENTRIES = 65_534
"""A ZIP without the 64-bit extension counts its entries in 16 bits."""
MAX_FILE_BYTES = 256 << 20
_MAX_NAME = 64
_NAME = re.compile(
    rb"manifest\.(?:json|note)|(?:leaves|proofs|custody)\.jsonl|keys\.json"
    rb"|(?:records|deletions|heartbeats)/\d{8}\.json|checkpoints/\d{8}\.note|timestamps/\d{8}\.tsr"
)
# APPNOTE 4.3.7, 4.3.12, 4.3.16
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _DATE = 20, 0x21
"""Version 2.0 is needed to extract; 1980-01-01 is the first day that the format knows."""


class ArchiveRefused(Exception):
    """Not a bundle's file; the text says where it differs and shows nothing of it."""


class ArchiveTooLarge(ArchiveRefused):
    """It goes beyond a bound, so that it was not read."""


def numbered(folder: str, number: int, ending: str) -> str:
    """The name of file `number` of a folder, such as `records/00000007.json`."""
    return f"{folder}/{number:08}.{ending}"


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files: the manifest and its signature, then the others by name."""
    if len(files) > MAX_ENTRIES:
        raise ArchiveTooLarge(f"a bundle holds at most {MAX_ENTRIES} files, not {len(files)}")
    body: list[bytes] = []
    central: list[bytes] = []
    at = 0
    for name in sorted(files, key=_order):
        data, raw = files[name], name.encode("ascii")
        if not _NAME.fullmatch(raw) or len(data) > MAX_FILE_BYTES:
            raise ArchiveRefused(f"{name}: no file of a bundle, or one of more than {MAX_FILE_BYTES} bytes")
        local = _local(raw, zlib.crc32(data), len(data))
        central.append(_central(raw, zlib.crc32(data), len(data), at))
        body += (local, data)
        at += len(local) + len(data)
    whole = b"".join((*body, *_tail(central, at)))
    if len(whole) > MAX_BUNDLE_BYTES:
        raise ArchiveTooLarge(f"a bundle has at most {MAX_BUNDLE_BYTES} bytes, this one {len(whole)}")
    return whole


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of an archive, by name. Raises `ArchiveRefused` for any other form than `pack` writes."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise ArchiveTooLarge(f"expected at most {MAX_BUNDLE_BYTES} bytes")
    files: dict[str, bytes] = {}
    central: list[bytes] = []
    at = 0
    last = ""
    while data[at : at + 4] == b"PK\x03\x04":
        name, content, end = _entry(data, at)
        if files and _order(name) <= _order(last):
            raise ArchiveRefused(f"{name}: comes twice, or out of order")
        if len(files) == MAX_ENTRIES:
            raise ArchiveTooLarge(f"expected at most {MAX_ENTRIES} files")
        central.append(_central(name.encode(), zlib.crc32(content), len(content), at))
        files[name], last, at = content, name, end
    if data[at:] != b"".join(_tail(central, at)):
        raise ArchiveRefused(f"after {len(files)} files the directory is not that of these files")
    return files


def _entry(data: bytes, at: int) -> tuple[str, bytes, int]:
    begin = at + _LOCAL.size
    if begin > len(data):
        raise ArchiveRefused("cut short within an entry")
    fields = _LOCAL.unpack_from(data, at)
    crc, size, length = fields[6], fields[8], fields[9]
    raw = data[begin : begin + min(length, _MAX_NAME)]
    if not _NAME.fullmatch(raw):
        raise ArchiveRefused("an entry has a name that no file of a bundle has")
    start = begin + len(raw)
    if size > MAX_FILE_BYTES:
        raise ArchiveTooLarge(f"{raw.decode()}: expected at most {MAX_FILE_BYTES} bytes")
    content = data[start : start + size]
    if len(content) < size or zlib.crc32(content) != crc or data[at:start] != _local(raw, crc, size):
        raise ArchiveRefused(f"{raw.decode()}: cut short, damaged, or not stored in the one form")
    return raw.decode(), content, start + size


def _order(name: str) -> tuple[bool, str]:
    return not name.startswith("manifest."), name


def _local(name: bytes, crc: int, size: int) -> bytes:
    return _LOCAL.pack(b"PK\x03\x04", _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name), 0) + name


def _central(name: bytes, crc: int, size: int, at: int) -> bytes:
    fixed = (_VERSION, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name), 0, 0, 0, 0, 0, at)
    return _CENTRAL.pack(b"PK\x01\x02", *fixed) + name


def _tail(central: list[bytes], at: int) -> list[bytes]:
    count, size = len(central), sum(map(len, central))
    return [*central, _END.pack(b"PK\x05\x06", 0, 0, count, count, size, at, 0)]
