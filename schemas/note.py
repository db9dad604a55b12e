"""Signed notes (C2SP signed-note): text, a blank line, and a line for each signature by a named key.

A line by a key that the reader does not know says nothing; a bad line by one that it knows spoils the note.
Cosignatures of witnesses (C2SP tlog-cosignature, cosignature/v1) also say when they were made.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tachograph.schemas.errors import MalformedRecord, SignatureBroken

__all__ = [
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "NoteKey",
    "NoteSigner",
    "SignatureKind",
    "Signed",
    "merged",
    "named",
    "open_note",
]

MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 100
_ID = struct.Struct(">I")
_TIME = struct.Struct(">Q")
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_LINE = re.compile(r"\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class SignatureKind(IntEnum):
    """The byte before the public key: it makes the same key another signer for another purpose."""

    ED25519 = 1
    COSIGNATURE = 4


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A verifier's key: who signs, for which purpose, and the 32 bytes of Ed25519."""

    name: str
    public: bytes
    kind: SignatureKind = SignatureKind.ED25519

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise MalformedRecord("key name: expected 1 to 255 characters without white space or plus")
        if len(self.public) != 32:
            raise MalformedRecord(f"public key: expected 32 bytes, got {len(self.public)}")

    @property
    def id(self) -> int:
        """The first four bytes of SHA-256(name || 0x0A || kind || public key), as a big-endian number."""
        digest = hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()
        return int(_ID.unpack_from(digest)[0])

    def __str__(self) -> str:
        """The `vkey` form: name+id+key."""
        key = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id:08x}+{key}"

    @classmethod
    def parse(cls, text: str) -> NoteKey:
        """Read the `vkey` form; raises `MalformedRecord`, also where the id is not the key's."""
        name, _, rest = text.partition("+")
        number, _, encoded = rest.partition("+")
        data = _unbase64(encoded)
        if not data or data[0] not in tuple(SignatureKind):
            raise MalformedRecord("verifier key: expected name+id+base64 of an Ed25519 key")
        key = cls(name, data[1:], SignatureKind(data[0]))
        if f"{key.id:08x}" != number:
            raise MalformedRecord(f"verifier key: expected the id {key.id:08x}, got {number[:8]!r}")
        return key


@dataclass(frozen=True, slots=True)
class Signed:
    """A note that at least one known key has signed, each named once. `cosigned` has the Unix time of every
    cosignature: a witness may have made several."""

    text: str
    signers: tuple[NoteKey, ...]
    cosigned: tuple[tuple[NoteKey, int], ...] = ()


class NoteSigner:
    """A private key under a name."""

    def __init__(
        self, name: str, private: Ed25519PrivateKey, kind: SignatureKind = SignatureKind.ED25519
    ) -> None:
        self._private = private
        self.key = NoteKey(name, private.public_key().public_bytes_raw(), kind)

    def __repr__(self) -> str:
        return f"NoteSigner({self.key.name!r})"

    def sign(self, text: str) -> str:
        """The whole note: `text`, which ends in a newline, and one signature."""
        _check_text(text)
        return f"{text}\n{self.line(text, self._private.sign(text.encode()))}"

    def cosignature(self, text: str, *, at: int) -> str:
        """One line that says this text was seen at `at`, in Unix seconds (C2SP tlog-cosignature)."""
        _check_text(text)
        return self.line(text, _TIME.pack(at) + self._private.sign(_cosigned(text, at)))

    def line(self, text: str, signature: bytes) -> str:
        """A signature line for `text` from bytes that were made elsewhere."""
        _check_text(text)
        blob = base64.b64encode(_ID.pack(self.key.id) + signature).decode()
        return f"\u2014 {self.key.name} {blob}\n"


def open_note(note: str, known: Iterable[NoteKey]) -> Signed:
    """The text and who of `known` signed it. Raises `MalformedRecord`, or `SignatureBroken` if none did."""
    text, lines = _split(note)
    keys = {(key.name, key.id): key for key in known}
    signers: list[NoteKey] = []
    cosigned: list[tuple[NoteKey, int]] = []
    for name, number, signature in lines:
        key = keys.get((name, number))
        if key is None:
            continue
        at = _verify(key, text, signature)
        if key not in signers:
            signers.append(key)
        if at is not None:
            cosigned.append((key, at))
    if not signers:
        raise SignatureBroken("the note is signed by none of the known keys")
    return Signed(text, tuple(signers), tuple(cosigned))


def named(note: str) -> tuple[str, tuple[str, ...]]:
    """The text, and each name that a signature line gives; nothing is verified. Raises `MalformedRecord`."""
    text, lines = _split(note)
    return text, tuple(dict.fromkeys(name for name, _, _ in lines))


def merged(one: str, other: str) -> str:
    """The first of two notes of one text, with the signature lines of both; `MAX_SIGNATURES` at most."""
    head, _, lines = one.rpartition("\n\n")
    _, _, more = other.rpartition("\n\n")
    kept = list(dict.fromkeys((*lines.splitlines(), *more.splitlines())))[:MAX_SIGNATURES]
    return head + "\n\n" + "".join(f"{line}\n" for line in kept)


def _split(note: str) -> tuple[str, list[tuple[str, int, bytes]]]:
    if len(note) > MAX_NOTE_BYTES:
        raise MalformedRecord(f"note: expected at most {MAX_NOTE_BYTES} bytes")
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n") or _CONTROL.search(note):
        raise MalformedRecord("note: expected text, a blank line and signature lines")
    raw = tail[:-1].split("\n")
    if len(raw) > MAX_SIGNATURES:
        raise MalformedRecord(f"note: expected at most {MAX_SIGNATURES} signatures, got {len(raw)}")
    return text + "\n", [_signature(line) for line in raw]


def _signature(line: str) -> tuple[str, int, bytes]:
    match = _LINE.fullmatch(line)
    blob = _unbase64(match[2]) if match else b""
    if match is None or len(blob) <= _ID.size or not _NAME.fullmatch(match[1]):
        raise MalformedRecord("note: a signature line is not an em dash, a name and base64")
    return match[1], int(_ID.unpack_from(blob)[0]), blob[_ID.size :]


def _verify(key: NoteKey, text: str, signature: bytes) -> int | None:
    at, message, rest = None, text.encode(), signature
    if key.kind is SignatureKind.COSIGNATURE:
        if len(signature) <= _TIME.size:
            raise SignatureBroken(f"the cosignature of {key.name} is cut short")
        at, rest = int(_TIME.unpack_from(signature)[0]), signature[_TIME.size :]
        message = _cosigned(text, at)
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(rest, message)
    except InvalidSignature:
        raise SignatureBroken(f"the signature of {key.name} does not fit the text") from None
    return at


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _check_text(text: str) -> None:
    if not text.endswith("\n") or text.endswith("\n\n") or _CONTROL.search(text) or len(text) < 2:
        raise MalformedRecord("note text: expected lines that end in one newline, without control characters")


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    # Base64 has spare bits; only one writing of each value is taken.
    return data if base64.b64encode(data).decode() == text else b""
