"""The encrypted local store as bytes: what is in it, sealed under one key; whole and unaltered, or refused.

    magic "TACHOCRD" | version 1 (1 byte) | key id (8) | nonce (12) | AES-256-GCM(JSON), tag included

Everything before the ciphertext is authenticated with it. Names are secret too: they tell what there is to
steal. The key id says that a key is another one without trying it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tachograph.credentials.errors import EntryExists, EntryMissing, StoreBroken

__all__ = [
    "MAX_EARLIER",
    "MAX_STORE_BYTES",
    "NONCE_BYTES",
    "Entry",
    "added",
    "opened",
    "removed",
    "rotated",
    "sealed",
]

MAGIC = b"TACHOCRD"
VERSION = 1
NONCE_BYTES = 12
MAX_STORE_BYTES = 4 << 20
MAX_EARLIER = 4
"""Values before the current one that are kept, for the masker alone."""
_ID_BYTES = 8
_HEAD = len(MAGIC) + 1 + _ID_BYTES + NONCE_BYTES


@dataclass(frozen=True, slots=True)
class Entry:
    """One secret in the store; times are RFC 3339 in UTC. `repr` does not show values."""

    value: str
    created: str
    rotated: str | None = None
    version: int = 1
    earlier: tuple[str, ...] = ()
    """Latest first."""

    def __repr__(self) -> str:
        return f"Entry(created={self.created!r}, version={self.version})"


Entries = Mapping[str, Entry]


def sealed(entries: Entries, key: bytes, *, nonce: bytes) -> bytes:
    """The store's bytes. `nonce` is 12 random bytes, never the same twice under one key."""
    head = MAGIC + bytes([VERSION]) + _key_id(key) + nonce
    content = {
        name: {
            "value": entry.value,
            "created": entry.created,
            "rotated": entry.rotated,
            "version": entry.version,
            "earlier": list(entry.earlier),
        }
        for name, entry in sorted(entries.items())
    }
    return head + AESGCM(key).encrypt(nonce, json.dumps(content).encode(), head)


def opened(data: bytes, key: bytes) -> dict[str, Entry]:
    """The entries. Raises `StoreBroken`, which says whether it is the version, the key or the content."""
    if len(data) > MAX_STORE_BYTES:
        raise StoreBroken(f"expected at most {MAX_STORE_BYTES} bytes")
    if not data.startswith(MAGIC) or len(data) < _HEAD:
        raise StoreBroken("not a store of Tachograph's")
    head = data[:_HEAD]
    version, key_id, nonce = head[8], head[9 : 9 + _ID_BYTES], head[-NONCE_BYTES:]
    if version != VERSION:
        raise StoreBroken(f"expected version {VERSION}, got {version}: written by another release")
    if key_id != _key_id(key):
        raise StoreBroken("sealed under another key: restore the key file that belongs to it")
    try:
        content = AESGCM(key).decrypt(nonce, data[_HEAD:], head)
    except InvalidTag:
        raise StoreBroken("damaged or altered: restore it from a copy, or set its entries anew") from None
    try:
        return {str(name): _entry(item) for name, item in json.loads(content).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise StoreBroken("its content is not what this release writes") from None


def added(entries: Entries, name: str, value: str, *, now: str) -> dict[str, Entry]:
    """With one more entry. Raises `EntryExists`."""
    if name in entries:
        raise EntryExists(
            f"the store has an entry {name}: `tacho credentials rotate {name}` gives it a new value"
        )
    return {**entries, name: Entry(value, created=now)}


def rotated(entries: Entries, name: str, value: str, *, now: str) -> dict[str, Entry]:
    """With a new value in an entry, its old one kept for the masker. Raises `EntryMissing`."""
    old = _found(entries, name)
    earlier = tuple(item for item in dict.fromkeys((old.value, *old.earlier)) if item != value)
    new = replace(old, value=value, rotated=now, version=old.version + 1, earlier=earlier[:MAX_EARLIER])
    return {**entries, name: new}


def removed(entries: Entries, name: str) -> dict[str, Entry]:
    """Without an entry. Raises `EntryMissing`."""
    _found(entries, name)
    return {other: entry for other, entry in entries.items() if other != name}


def _found(entries: Entries, name: str) -> Entry:
    if name not in entries:
        raise EntryMissing(f"the store has no entry {name}: `tacho credentials list` shows what there is")
    return entries[name]


def _entry(item: Mapping[str, object]) -> Entry:
    value, created, rotated_at, version = item["value"], item["created"], item["rotated"], item["version"]
    earlier = item["earlier"]
    if not (isinstance(value, str) and isinstance(created, str) and isinstance(earlier, list)):
        raise TypeError
    if not isinstance(version, int) or not (rotated_at is None or isinstance(rotated_at, str)):
        raise TypeError
    return Entry(value, created, rotated_at, version, tuple(str(each) for each in earlier))


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"tachograph credential store key\0" + key).digest()[:_ID_BYTES]
