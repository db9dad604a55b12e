"""A bundle read back without believing it: the archive, the manifest's signature, then every line's form.

Whatever is wrong raises `Refused` with its verdict; nothing of the content stands in its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tachograph.forensics.bundle.archive import ArchiveRefused, ArchiveTooLarge, numbered, unpack
from tachograph.forensics.bundle.content import (
    BUNDLE_VERSION,
    FOLDERS,
    KIND,
    Consistency,
    Inclusion,
    Line,
    manifest_text,
)
from tachograph.forensics.verdict import Verdict
from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.errors import MalformedRecord, SignatureBroken
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.merkle import MAX_PROOF
from tachograph.schemas.note import NoteKey, open_note

__all__ = ["Exporters", "Note", "Opened", "Refused", "read_bundle"]

_HASHES = re.compile(r"(?:[0-9a-f]{64}(?: [0-9a-f]{64})*+)?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"
_VKEY = re.compile(rf"[^\s+]{{1,255}}\+[0-9a-f]{{8}}\+(?=.{{4}}){_BASE64}")
_CUSTODY = {"action": str, "at": str, "by": str, "found": dict, "query": str, "tool": str}
MAX_TOKEN_BYTES = 64 << 10
"""Of one time stamp with the certificates in it."""
_FIXED = ("custody.jsonl", "keys.json", "leaves.jsonl", "proofs.jsonl")


class Refused(Exception):
    """The bundle is not read any further."""

    def __init__(self, verdict: Verdict, where: str, text: str) -> None:
        super().__init__(f"{where}: {text}")
        self.verdict, self.where, self.text = verdict, where, text


@dataclass(frozen=True, slots=True)
class Exporters:
    """Whose signature makes a manifest worth reading."""

    trusted: tuple[NoteKey, ...]
    revoked: tuple[NoteKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint as it came, and what it says; nobody has verified it yet."""

    note: str
    said: Checkpoint


@dataclass(frozen=True, slots=True)
class Opened:
    """What an authentic bundle holds. Its statements about records and logs are still to be proven."""

    session: str
    lines: tuple[Line, ...]
    checkpoints: tuple[Note, ...]
    consistency: tuple[Consistency, ...]
    keys: tuple[str, ...]
    custody: tuple[Mapping[str, Any], ...]
    timestamps: Mapping[int, bytes] = field(default_factory=dict)
    """By the number of the checkpoint; nobody has verified them yet."""


def read_bundle(data: bytes, exporters: Exporters) -> Opened:
    """Everything in a bundle that one of the exporters has signed. Raises `Refused`."""
    try:
        files = unpack(data)
    except ArchiveTooLarge as error:
        raise Refused(Verdict.BUNDLE_TOO_LARGE, "the file", str(error)) from None
    except ArchiveRefused as error:
        raise Refused(Verdict.BUNDLE_MALFORMED, "the file", str(error)) from None
    manifest = _manifest(files, exporters)
    checkpoints = tuple(_note(name, files[name]) for name in _numbered(files, "checkpoints", "note"))
    documents = {folder: [files[name] for name in _numbered(files, folder, "json")] for folder in FOLDERS}
    proofs = list(_objects("proofs.jsonl", files["proofs.jsonl"]))
    leaves = list(_objects("leaves.jsonl", files["leaves.jsonl"]))
    _expect(len(proofs) >= len(leaves), "proofs.jsonl", "there are fewer lines than leaves")
    lines = tuple(_lines(leaves, proofs, documents, count=len(checkpoints)))
    return Opened(
        session=manifest["session"],
        lines=lines,
        checkpoints=checkpoints,
        consistency=tuple(_steps(proofs[len(leaves) :], checkpoints)),
        keys=_keys(files["keys.json"]),
        custody=tuple(_custody(files["custody.jsonl"])),
        timestamps=_timestamps(files, count=len(checkpoints)),
    )


def _manifest(files: Mapping[str, bytes], exporters: Exporters) -> dict[str, Any]:
    if "manifest.json" not in files or "manifest.note" not in files:
        raise Refused(Verdict.BUNDLE_MALFORMED, "manifest", "there is none, or it is not signed")
    data = files["manifest.json"]
    value = _canonical("manifest.json", data, Verdict.BUNDLE_MALFORMED)
    if type(value.get("v")) is not int or (value["v"], value.get("bundle")) != (BUNDLE_VERSION, KIND):
        raise Refused(Verdict.VERSION_UNKNOWN, "manifest", f"expected a bundle of version {BUNDLE_VERSION}")
    _signed(files["manifest.note"], manifest_text(data), exporters)
    _manifest_form(value)
    others = {name: content for name, content in files.items() if not name.startswith("manifest.")}
    listed = [
        {"name": name, "sha256": sha256_hex(others[name]), "size": len(others[name])}
        for name in sorted(others)
    ]
    if value["files"] != listed:
        raise Refused(Verdict.BUNDLE_ALTERED, "manifest", "the files are not those that were signed for")
    missing = [name for name in _FIXED if name not in files]
    _expect(not missing, "manifest", f"there is no {', '.join(missing)}")
    return value


def _signed(note: bytes, text: str, exporters: Exporters) -> None:
    try:
        signed = open_note(note.decode(), (*exporters.trusted, *exporters.revoked))
    except (MalformedRecord, SignatureBroken, UnicodeDecodeError):
        raise Refused(Verdict.EXPORTER_UNKNOWN, "manifest.note", "no trusted exporter signed it") from None
    if signed.text != text or note.count("\n\u2014 ".encode()) != 1:
        raise Refused(
            Verdict.EXPORTER_UNKNOWN, "manifest.note", "it signs another manifest, or is signed twice"
        )
    if signed.signers[0] in exporters.revoked:
        raise Refused(Verdict.KEY_REVOKED, "manifest.note", f"{signed.signers[0].name} is revoked")


def _manifest_form(value: Mapping[str, Any]) -> None:
    texts = [value.get(name) for name in ("created", "session", "tool")]
    fits = set(value) == {"bundle", "created", "files", "session", "tool", "v"}
    fits = fits and all(isinstance(item, str) for item in texts) and isinstance(value["files"], list)
    _expect(fits, "manifest.json", "expected bundle, created, files, session, tool and v")
    _expect(_UUID.fullmatch(value["session"]), "manifest.json", "the session is not a UUID")
    _expect(_TIME.fullmatch(value["created"]), "manifest.json", "`created` is not RFC 3339 in UTC")


def _lines(
    leaves: Sequence[Any], proofs: Sequence[Any], documents: Mapping[str, Sequence[bytes]], *, count: int
) -> Iterator[Line]:
    used = dict.fromkeys(FOLDERS, 0)
    for number, (item, proof) in enumerate(zip(leaves, proofs, strict=False)):
        where = f"leaves.jsonl:{number + 1}"
        folder = _folder(item, where)
        document, said = None, item[FOLDERS[folder]]
        if said is not None:
            there, following = documents[folder], used[folder]
            _expect(_same(said, following) and following < len(there), where, f"not the next of {folder}")
            document, used[folder] = there[following], following + 1
        leaf = _leaf(item["leaf"], where)
        _expect(document is not None or leaf is not None, where, "neither a leaf nor a record")
        _expect(
            isinstance(item["log"], str if leaf else type(None)), where, "a leaf is of a log, a log has one"
        )
        inclusion = _inclusion(proof, f"proofs.jsonl:{number + 1}", count)
        _expect(leaf is not None or inclusion is None, where, "a proof needs a leaf")
        yield Line(item["log"], leaf, document, inclusion, folder)
    whole = all(used[folder] == len(there) for folder, there in documents.items())
    _expect(whole, "leaves.jsonl", "there are records that no line names")


def _folder(item: Mapping[str, Any], where: str) -> str:
    """Which folder a line's document lies in, by the one word for it that the line has."""
    folder = next((folder for folder, word in FOLDERS.items() if word in item), "records")
    word = FOLDERS[folder]
    _expect(set(item) == {"leaf", "log", word}, where, "expected leaf, log and one word for a document")
    _expect(folder == "records" or item[word] is not None, where, f"a {word} that is not there is a record")
    return folder


def _leaf(value: Any, where: str) -> Leaf | None:
    if value is None:
        return None
    try:
        return Leaf.parse(canonical_json(value))
    except (MalformedRecord, TypeError):
        raise Refused(Verdict.CONTENT_MALFORMED, where, "not a leaf") from None


def _inclusion(value: Any, where: str, count: int) -> Inclusion | None:
    _expect(set(value) == {"checkpoint", "path"}, where, "expected checkpoint and path")
    path, number = _path(value["path"], where), value["checkpoint"]
    if number is None:
        _expect(not path, where, "a path needs a checkpoint")
        return None
    _expect(type(number) is int and 0 <= number < count, where, "there is no such checkpoint")
    return Inclusion(number, path)


def _steps(values: Sequence[Any], checkpoints: Sequence[Note]) -> Iterator[Consistency]:
    """One step from each checkpoint of a log to the next of it, in the order of the later ones."""
    last: dict[str, int] = {}
    wanted: list[tuple[int, int]] = []
    for number, item in enumerate(checkpoints):
        if item.said.origin in last:
            wanted.append((last[item.said.origin], number))
        last[item.said.origin] = number
    _expect(len(values) == len(wanted), "proofs.jsonl", f"expected {len(wanted)} steps between checkpoints")
    for value, (first, second) in zip(values, wanted, strict=True):
        fits = set(value) == {"first", "path", "second"}
        fits = fits and _same(value["first"], first) and _same(value["second"], second)
        _expect(fits, "proofs.jsonl", f"expected the step from checkpoint {first} to {second}")
        yield Consistency(first, second, _path(value["path"], "proofs.jsonl"))


def _path(value: Any, where: str) -> tuple[bytes, ...]:
    fits = isinstance(value, list) and len(value) <= MAX_PROOF and all(type(item) is str for item in value)
    # One look at all of them: with as many hashes as items, each item is one.
    together = " ".join(value) if fits else ""
    fits = fits and len(together) == max(65 * len(value) - 1, 0) and _HASHES.fullmatch(together) is not None
    _expect(fits, where, f"expected a path of at most {MAX_PROOF} hashes")
    return tuple(map(bytes.fromhex, value))


def _note(name: str, data: bytes) -> Note:
    try:
        note = data.decode()
        text, blank, _ = note.rpartition("\n\n")
        open_note(note, ())
    except SignatureBroken:  # no key was given, so nobody can have signed; its form is good
        pass
    except (MalformedRecord, UnicodeDecodeError):
        raise Refused(Verdict.CONTENT_MALFORMED, name, "not a signed note") from None
    try:
        said = Checkpoint.parse(text + "\n")
    except MalformedRecord as error:
        raise Refused(Verdict.CONTENT_MALFORMED, name, str(error)) from None
    _expect(blank and said.time is not None, name, "it does not say its time")
    return Note(note, said)


def _timestamps(files: Mapping[str, bytes], *, count: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for name in (name for name in files if name.startswith("timestamps/")):
        number = int(name[len("timestamps/") : -len(".tsr")])
        _expect(number < count, name, "there is no such checkpoint")
        _expect(len(files[name]) <= MAX_TOKEN_BYTES, name, f"expected at most {MAX_TOKEN_BYTES} bytes")
        found[number] = files[name]
    return found


def _keys(data: bytes) -> tuple[str, ...]:
    value = _canonical("keys.json", data, Verdict.CONTENT_MALFORMED)
    keys = value.get("keys")
    fits = set(value) == {"keys", "v"} and _same(value["v"], 1) and isinstance(keys, list)
    fits = fits and all(isinstance(item, str) and _VKEY.fullmatch(item) for item in keys or ())
    _expect(fits, "keys.json", "expected version 1 and verifier keys")
    return tuple(keys or ())


def _custody(data: bytes) -> Iterator[Mapping[str, Any]]:
    for number, item in enumerate(_objects("custody.jsonl", data)):
        fits = set(item) == set(_CUSTODY)
        fits = fits and all(isinstance(item[name], kind) for name, kind in _CUSTODY.items())
        fits = fits and all(type(count) is int and 0 <= count < 2**53 for count in item["found"].values())
        _expect(fits and _TIME.fullmatch(item["at"]), f"custody.jsonl:{number + 1}", "not a custody entry")
        yield item
    _expect(data, "custody.jsonl", "nobody says who took this out")


def _numbered(files: Iterable[str], folder: str, ending: str) -> list[str]:
    names = sorted(name for name in files if name.startswith(folder))
    wanted = [numbered(folder, number, ending) for number in range(len(names))]
    _expect(names == wanted, folder, "its files are not numbered from 0 without a gap")
    return names


def _objects(name: str, data: bytes) -> Iterator[dict[str, Any]]:
    _expect(not data or data.endswith(b"\n"), name, "its last line is cut short")
    for number, line in enumerate(data.split(b"\n")[:-1]):
        yield _canonical(f"{name}:{number + 1}", line, Verdict.CONTENT_MALFORMED)


def _canonical(where: str, data: bytes, verdict: Verdict) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
        same = isinstance(value, dict) and canonical_json(value) == data
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        same = False
    if not same:
        raise Refused(verdict, where, "expected an object in canonical JSON")
    found: dict[str, Any] = value
    return found


def _same(value: object, number: int) -> bool:
    return type(value) is int and value == number


def _expect(holds: object, where: str, text: str) -> None:
    if not holds:
        raise Refused(Verdict.CONTENT_MALFORMED, where, text)
