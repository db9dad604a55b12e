"""What is registered and in force, on two topics: snapshots by their digest, and releases that name them.

Snapshots stand on `control`, compacted: each is what its digest says, and one that is gone is missed.
Releases stand on `releases`, which is only ever appended to and kept for ever: they have no keys, and nobody
who may write can take one back. All of it is signed by the control key, a snapshot with its record's key. The
highest version is in force; what is not signed, or was released before, changes nothing. A snapshot is
removed by a signed word, since a tombstone may be anybody's. The fold is pure: records in, what holds out.

Earlier releases stood on `control`, under `version/N` and `current`. They count; none is written any more.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import Annotated, Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.errors import MalformedRecord, SealBroken
from tachograph.schemas.event import Timestamp
from tachograph.schemas.registry import MAX_REGISTRY_BYTES, ShortDigest, short

__all__ = [
    "CONTROL_KEY_BYTES",
    "CURRENT",
    "KEPT_VERSIONS",
    "MAX_COMMENT",
    "MAX_SNAPSHOTS",
    "RELEASE",
    "REMOVED",
    "ControlBook",
    "ControlKey",
    "Release",
    "version_key",
]

CONTROL_KEY_BYTES = 32
RELEASE = "release"
"""What a release is signed under; its record has no key."""
REMOVED = b""
"""The data under a snapshot's digest that removes it."""
CURRENT = "current"
_VERSION = "version/"
MAX_COMMENT = 500
KEPT_VERSIONS = 100
"""Releases whose snapshots stay; whoever publishes removes those of older ones."""
MAX_SNAPSHOTS = 2 * KEPT_VERSIONS
"""Snapshots that a reader holds; beyond it the one that came first is forgotten."""
_MAC_CHARS = 64
MAX_VALUE_BYTES = MAX_REGISTRY_BYTES + _MAC_CHARS + 1

Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _speakable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected printable characters on one line")
    return text


class Release(BaseModel):
    """Which snapshot is in force from when on, and who said so."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1] = 1
    version: Annotated[int, Field(ge=1, lt=2**53)]
    digest: Hex64
    at: Timestamp
    by: Annotated[str, StringConstraints(max_length=256), AfterValidator(_speakable)]
    """As the machine that released it names its user: claimed, not verified."""
    comment: Annotated[str, StringConstraints(max_length=MAX_COMMENT), AfterValidator(_speakable)] = ""

    def encode(self) -> bytes:
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def decode(cls, data: bytes) -> Release:
        """Raises `MalformedRecord`."""
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            raise MalformedRecord("release: not of version 1") from None


class ControlKey:
    """Signs and checks the values of the control topic; `repr` shows its id only."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != CONTROL_KEY_BYTES:
            raise ValueError(f"control key: expected {CONTROL_KEY_BYTES} bytes, got {len(secret)}")
        self.id = sha256_hex(b"tachograph control key id" + secret)[:16]
        self._mac = HKDF(
            algorithm=hashes.SHA256(), length=32, salt=None, info=b"tachograph control mac"
        ).derive(secret)

    def __repr__(self) -> str:
        return f"ControlKey(id={self.id!r})"

    def seal(self, key: str, data: bytes) -> bytes:
        """The value for this record key: 64 hex digits, a line feed, the data."""
        return self._sign(key, data) + b"\n" + data

    def open(self, key: str, value: bytes) -> bytes:
        """The data again. Raises `SealBroken` for a mac that is not ours or of another key."""
        if len(value) > MAX_VALUE_BYTES:
            raise MalformedRecord(
                f"control record: expected at most {MAX_VALUE_BYTES} bytes, got {len(value)}"
            )
        mac, data = value[:_MAC_CHARS], value[_MAC_CHARS + 1 :]
        framed = value[_MAC_CHARS : _MAC_CHARS + 1] == b"\n"
        if not (hmac.compare_digest(mac, self._sign(key, data)) and framed):
            raise SealBroken("control record: its mac is not of this control key")
        return data

    def _sign(self, key: str, data: bytes) -> bytes:
        return hmac.digest(self._mac, key.encode() + b"\n" + data, "sha256").hex().encode()


class ControlBook:
    """What the topic says so far. `put` it every record in the log's order."""

    def __init__(self, key: ControlKey) -> None:
        self._key = key
        self.current: Release | None = None
        self.releases: dict[int, Release] = {}
        """By version, those that are kept."""
        self._snapshots: OrderedDict[str, bytes] = OrderedDict()
        self._short: dict[ShortDigest, str] = {}

    def put(self, key: str, value: bytes | None) -> None:
        """Take one record of `control` in. Raises `RecordError` for one that is not to be believed: nothing
        changes. A tombstone says nothing: whoever may write to the topic may write it.
        """
        if value is None:
            return
        data = self._key.open(key, value)
        if key == CURRENT:
            self._release(Release.decode(data))
        elif key.startswith(_VERSION):
            self._kept(key, Release.decode(data))
        elif data == REMOVED:
            self._forget(key)
        else:
            self._keep(key, data)

    def put_release(self, value: bytes | None) -> None:
        """Take one record of `releases` in, as `put` does. One that was taken in before says nothing new."""
        release = Release.decode(self._key.open(RELEASE, value or b""))
        if self.releases.get(release.version, release) != release:
            raise MalformedRecord(f"release {release.version}: another one has this version")
        if self.current is None or release.version >= self.current.version:
            self._release(release)
        self.releases[release.version] = release

    @property
    def whole(self) -> bool:
        """Whether no release is missing, from the first that is known to the one in force."""
        known = self.releases
        if self.current is None or not known:
            return self.current is None
        return max(known) == self.current.version and len(known) == max(known) - min(known) + 1

    @property
    def lost(self) -> Release | None:
        """The release in force, where its snapshot is nowhere."""
        release = self.current
        return None if release is None or release.digest in self._snapshots else release

    def snapshot(self, digest: str) -> bytes | None:
        """The bytes of a snapshot by its digest."""
        return self._snapshots.get(digest)

    def named(self, digest: ShortDigest) -> bytes | None:
        """The bytes of the snapshot that a header names."""
        whole = self._short.get(digest)
        return None if whole is None else self._snapshots.get(whole)

    def _release(self, release: Release) -> None:
        if self.current is not None and release.version <= self.current.version:
            if release in {self.current, self.releases.get(release.version)}:
                return
            raise MalformedRecord(f"release {release.version}: version {self.current.version} came before it")
        self.current = release

    def _kept(self, key: str, release: Release) -> None:
        if key != version_key(release.version):
            raise MalformedRecord(f"release {release.version}: stands under another key")
        self.releases.setdefault(release.version, release)

    def _keep(self, digest: str, data: bytes) -> None:
        if sha256_hex(data) != digest:
            raise MalformedRecord("snapshot: its digest is another")
        self._snapshots[digest] = data
        self._short[short(digest)] = digest
        while len(self._snapshots) > MAX_SNAPSHOTS:
            self._forget(
                next(one for one in self._snapshots if self.current is None or one != self.current.digest)
            )

    def _forget(self, digest: str) -> None:
        if self.current is not None and digest == self.current.digest:
            return  # whoever removes it cannot take it out of force
        if self._snapshots.pop(digest, None) is not None:
            self._short.pop(short(digest), None)


def version_key(version: int) -> str:
    """The record key of a release."""
    return f"{_VERSION}{version}"
