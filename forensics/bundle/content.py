"""What a bundle holds, as values, and their one byte form: the lines of its files, and the signed manifest.

Writing is pure and gives the same bytes for the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tachograph.forensics.bundle.archive import numbered, pack
from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.note import NoteSigner

__all__ = [
    "BUNDLE_VERSION",
    "FOLDERS",
    "KIND",
    "Bundle",
    "Consistency",
    "Custody",
    "Inclusion",
    "Line",
    "manifest_text",
    "write_bundle",
]

BUNDLE_VERSION = 1
KIND = "tachograph"
FOLDERS = {"records": "record", "deletions": "deletion", "heartbeats": "heartbeat"}
"""Where documents lie, and the word for one in a line of `leaves.jsonl`."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf is in the tree of a checkpoint, by the checkpoint's number."""

    checkpoint: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Consistency:
    """That one checkpoint's tree begins with an earlier one's, by their numbers."""

    first: int
    second: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing on record: its leaf, its document, the proof; None for what the system does not have."""

    log: str | None = None
    leaf: Leaf | None = None
    document: bytes | None = None
    proof: Inclusion | None = None
    folder: str = "records"
    """Of `FOLDERS`: where the document lies."""

    def __repr__(self) -> str:
        return f"Line(log={self.log!r}, index={self.leaf.index if self.leaf else None})"


@dataclass(frozen=True, slots=True)
class Custody:
    """Who took the bundle out, when (RFC 3339), with which query, and what there was."""

    by: str
    at: str
    query: str
    tool: str
    found: dict[str, int]
    action: str = "export"

    def canonical(self) -> bytes:
        return canonical_json(
            {
                "action": self.action,
                "at": self.at,
                "by": self.by,
                "found": self.found,
                "query": self.query,
                "tool": self.tool,
            }
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything in one bundle; `keys` are `vkey` texts, for the reader's information."""

    session: str
    created: str
    tool: str
    lines: tuple[Line, ...]
    checkpoints: tuple[str, ...]
    consistency: tuple[Consistency, ...]
    keys: tuple[str, ...]
    custody: tuple[Custody, ...]
    timestamps: tuple[tuple[int, bytes], ...] = ()
    """Answers of time-stamp authorities (RFC 3161, DER), each with its checkpoint's number."""

    def files(self) -> dict[str, bytes]:
        """Every file but the manifest and its signature."""
        found: dict[str, bytes] = {}
        for folder in FOLDERS:
            lines = [line for line in self.lines if line.folder == folder]
            documents = [line.document for line in lines if line.document is not None]
            found |= {numbered(folder, number, "json"): item for number, item in enumerate(documents)}
        found |= {
            numbered("checkpoints", number, "note"): note.encode()
            for number, note in enumerate(self.checkpoints)
        }
        found |= {numbered("timestamps", number, "tsr"): token for number, token in self.timestamps}
        found["leaves.jsonl"] = _jsonl(_leaf_lines(self.lines))
        found["proofs.jsonl"] = _jsonl(_proof_lines(self.lines, self.consistency))
        found["keys.json"] = canonical_json({"keys": list(self.keys), "v": 1})
        found["custody.jsonl"] = _jsonl([item.canonical() for item in self.custody])
        return found

    def manifest(self, files: dict[str, bytes]) -> bytes:
        """What the exporter signs: the size and SHA-256 of every file."""
        listed = [
            {"name": name, "sha256": sha256_hex(files[name]), "size": len(files[name])}
            for name in sorted(files)
        ]
        said: dict[str, Any] = {"bundle": KIND, "created": self.created, "files": listed}
        return canonical_json(said | {"session": self.session, "tool": self.tool, "v": BUNDLE_VERSION})


def write_bundle(bundle: Bundle, signer: NoteSigner) -> bytes:
    """The bundle's file, its manifest signed by the exporter. Raises `ArchiveTooLarge`."""
    files = bundle.files()
    manifest = bundle.manifest(files)
    note = signer.sign(manifest_text(manifest)).encode()
    return pack(files | {"manifest.json": manifest, "manifest.note": note})


def manifest_text(manifest: bytes) -> str:
    """The text of the note that signs a manifest."""
    return f"tachograph/bundle/v{BUNDLE_VERSION}\n{sha256_hex(manifest)}\n"


def _leaf_lines(lines: Sequence[Line]) -> list[bytes]:
    found: list[bytes] = []
    used = dict.fromkeys(FOLDERS, 0)
    for line in lines:
        number = None if line.document is None else used[line.folder]
        used[line.folder] += line.document is not None
        leaf = None if line.leaf is None else orjson.loads(line.leaf.canonical())
        found.append(canonical_json({"leaf": leaf, "log": line.log, FOLDERS[line.folder]: number}))
    return found


def _proof_lines(lines: Sequence[Line], consistency: Sequence[Consistency]) -> list[bytes]:
    found = []
    for line in lines:
        proof = line.proof
        number = None if proof is None else proof.checkpoint
        path = [] if proof is None else [item.hex() for item in proof.path]
        found.append(canonical_json({"checkpoint": number, "path": path}))
    for step in consistency:
        path = [item.hex() for item in step.path]
        found.append(canonical_json({"first": step.first, "path": path, "second": step.second}))
    return found


def _jsonl(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
