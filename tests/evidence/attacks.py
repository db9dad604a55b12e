"""Every attack on a bundle, each as what somebody did to an honest one, with the verdict that names it.

Who can do what: anybody can change a file; an exporter can sign what they like, a log can seal what it likes.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from world import (
    EPOCHS,
    EXPORTER,
    LOG,
    OTHER_LOG,
    OTHER_SESSION,
    START_MS,
    STRANGER,
    TIMES,
    WITNESS,
    Doc,
    Log,
    Strand,
    bundle,
    filler,
    policy,
    resigned,
    sealed,
    signed,
    story,
)

from tachograph.forensics.bundle.archive import unpack
from tachograph.forensics.bundle.content import write_bundle
from tachograph.schemas.event import event_uid
from tachograph.schemas.merkle import node_hash

__all__ = ["Vector", "vectors"]

Edit = Callable[[dict[str, Any]], None]
NOON = START_MS // 1000


@dataclass(frozen=True)
class Vector:
    """One bundle, the policy to judge it by, and the verdict that it must get."""

    name: str
    data: bytes
    verdict: str
    policy: dict[str, Any] = field(default_factory=policy)


def honest() -> bytes:
    return write_bundle(bundle(sealed(story())), EXPORTER)


def vectors() -> Iterator[Vector]:
    """All of them; names are unique."""
    yield from _good()
    yield from _container()
    yield from _signatures()
    yield from _logs()
    yield from _exporter()
    yield from _documents()
    yield from _holes()


def _good() -> Iterator[Vector]:
    yield Vector("good", honest(), "complete")
    two = [*story(), *Log(_second_strand()).documents]
    yield _made("good-two-epochs", sealed(two), "complete")
    seen = {"key": str(LOG.key), "seen": {"size": 10, "root": sealed(story()).tree.root().hex()}}
    yield Vector("good-remembered", honest(), "complete", policy(logs=[seen]))
    cosigned = sealed(story(), witnesses=[(WITNESS, NOON + 200)])
    yield _made("good-witnessed", cosigned, "complete", witnessed())
    docs = story()
    again = docs[4].edited(_tacho(ruleset="ruleset-2", body="masked anew"))
    yield _made("good-remasked", sealed([*docs, again]), "complete")


def _second_strand() -> list[Doc]:
    write = Strand(epoch=EPOCHS[1])
    return [write.record("session.open"), write.record("request"), write.close()]


def witnessed(required: int = 1) -> dict[str, Any]:
    return policy(witnesses={"required": required, "keys": [str(WITNESS.key)]})


def _container() -> Iterator[Vector]:
    good = honest()
    yield Vector("cut", good[: len(good) // 2], "bundle-malformed")
    yield Vector("cut-by-one", good[:-1], "bundle-malformed")
    yield Vector("empty", b"", "bundle-malformed")
    yield Vector("no-zip", b"not a bundle", "bundle-malformed")
    yield Vector("concatenated", good + good, "bundle-malformed")
    yield Vector("trailing-byte", good + b"\0", "bundle-malformed")
    yield Vector("prefixed", b"#!/bin/sh\n" + good, "bundle-malformed")
    for name, path in (
        ("traversal", "../../etc/cron.d/x"),
        ("absolute", "/etc/passwd"),
        ("stray", "notes.txt"),
    ):
        yield Vector(f"{name}-name", foreign({"keys.json": b"{}", path: b"x"}), "bundle-malformed")
    yield Vector("reserved-name", foreign({"heartbeats/00000000.json": b"{}"}), "bundle-malformed")
    yield Vector("twice", foreign({"keys.json": b"{}"}, repeat=2), "bundle-malformed")
    yield Vector("deflated", foreign({"keys.json": b"{}" * 99}, deflate=True), "bundle-malformed")
    yield Vector("symlink", foreign({"keys.json": b"/etc/passwd"}, attributes=0xA1FF0000), "bundle-malformed")
    yield Vector("huge-entry", huge(), "bundle-too-large")
    files = _files()
    yield Vector("no-manifest", foreign({"keys.json": files["keys.json"]}), "bundle-malformed")


def foreign(files: dict[str, bytes], *, repeat: int = 1, deflate: bool = False, attributes: int = 0) -> bytes:
    """A ZIP as other tools would write it."""
    body, central, at = b"", b"", 0
    for name, data in files.items():
        raw, method = name.encode(), 8 if deflate else 0
        squeezed = zlib.compress(data, wbits=-15) if deflate else data
        sizes = (zlib.crc32(data), len(squeezed), len(data), len(raw), 0)
        for _ in range(repeat):
            local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, method, 0, 0x21, *sizes) + raw + squeezed
            fixed = (20, 20, 0, method, 0, 0x21, *sizes, 0, 0, 0, attributes, at)
            central += struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *fixed) + raw
            body, at = body + local, at + len(local)
    count = len(files) * repeat
    return body + central + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(central), at, 0)


def huge() -> bytes:
    """An entry that says that it has 4 GiB."""
    sizes = (0, 0xFFFFFFFF, 0xFFFFFFFF, 9, 0)
    return struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0x21, *sizes) + b"keys.json"


def _files(log: Log | None = None, **changes: Any) -> dict[str, bytes]:
    return bundle(log or sealed(story()), **changes).files()


def _signatures() -> Iterator[Vector]:
    good, files = unpack(honest()), _files()
    yield Vector("version-2", resigned(files, v=2), "version-unknown")
    yield Vector("other-kind", resigned(files, bundle="tachometer"), "version-unknown")
    yield Vector("stranger", resigned(files, STRANGER), "exporter-unknown")
    other = unpack(resigned(files, tool="another"))
    swapped = {**good, "manifest.note": other["manifest.note"]}
    yield Vector("manifest-of-another", _packed(swapped), "exporter-unknown")
    twice = good["manifest.note"] + good["manifest.note"].split(b"\n\n")[1]
    yield Vector("signed-twice", _packed({**good, "manifest.note": twice}), "exporter-unknown")
    revoked = policy(exporters=[{"key": str(EXPORTER.key), "revoked": True}])
    yield Vector("exporter-revoked", honest(), "key-revoked", revoked)
    edited = {
        **good,
        "records/00000001.json": good["records/00000001.json"].replace(b"record 2", b"record 9"),
    }
    yield Vector("file-edited", _packed(edited), "bundle-altered")
    fewer = {name: data for name, data in good.items() if name != "records/00000006.json"}
    yield Vector("file-removed", _packed(fewer), "bundle-altered")
    yield Vector("file-added", _packed({**good, "records/00000007.json": b"{}"}), "bundle-altered")
    for name in ("custody.jsonl", "keys.json", "leaves.jsonl", "proofs.jsonl"):
        yield Vector(f"no-{name.partition('.')[0]}", resigned(_without(files, name)), "content-malformed")
        yield Vector(f"odd-{name.partition('.')[0]}", resigned({**files, name: b"{}\n"}), "content-malformed")
    yield Vector(
        "odd-checkpoint", resigned({**files, "checkpoints/00000000.note": b"x"}), "content-malformed"
    )
    gap = _without(files, "records/00000003.json")
    yield Vector("record-number-missing", resigned(gap), "content-malformed")


def _packed(files: dict[str, bytes]) -> bytes:
    whole = dict(files)
    manifest, note = whole.pop("manifest.json"), whole.pop("manifest.note")
    data = signed(whole, manifest)
    ours = unpack(data)
    return foreign({**dict(list(ours.items())[:1]), "manifest.note": note, **dict(list(ours.items())[2:])})


def _without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {other: data for other, data in files.items() if other != name}


def _logs() -> Iterator[Vector]:
    log = sealed(story())
    yield _made("log-key-unknown", sealed(story(), signer=OTHER_LOG), "key-unknown")
    revoked = policy(logs=[{"key": str(LOG.key), "revoked": True}])
    yield _made("log-key-revoked", log, "key-revoked", revoked)
    yield _bundled("algorithm-downgrade", log, "algorithm-refused", **_downgraded(log))
    forged = [log.note(0), log.note(1).replace(TIMES[1], TIMES[2])]
    yield _bundled("checkpoint-forged", log, "checkpoint-forged", checkpoints=tuple(forged))
    other = sealed([*story()[:-1], filler(9)])
    fork = (log.note(0), other.note(1))
    yield _bundled("log-fork", log, "log-fork", checkpoints=fork)
    same = sealed(story(), cuts=(10, 10))
    yield _bundled("log-fork-one-size", same, "log-fork", checkpoints=(same.note(0), other.note(1)))
    yield _made("log-rollback", sealed(story(), cuts=(10, 9)), "log-rollback")
    seen = {"key": str(LOG.key), "seen": {"size": 12, "root": "00" * 32}}
    yield _made("head-truncated-and-resigned", log, "log-rollback", policy(logs=[seen]))
    seen = {"key": str(LOG.key), "seen": {"size": 10, "root": "00" * 32}}
    yield _made("log-rewritten", log, "log-fork", policy(logs=[seen]))
    yield _made("clock-runs-back", sealed(story(), times=TIMES[1::-1]), "checkpoint-backdated")
    early = ("2026-11-22T06:01:00Z", "2026-11-22T06:02:00Z")
    yield _made("sealed-before-recorded", sealed(story(), times=early), "checkpoint-backdated")
    soon = sealed(story(), witnesses=[(WITNESS, NOON - 86_400)])
    yield _made("witnessed-before-made", soon, "checkpoint-backdated", witnessed())
    yield _made("witness-missing", log, "witness-missing", witnessed())
    spoilt = log.note(1) + WITNESS.cosignature(TIMES[1] + "\n", at=NOON + 200)
    notes = (log.note(0), spoilt)
    yield _bundled("witness-forged", log, "checkpoint-forged", witnessed(), checkpoints=notes)


def _downgraded(log: Log) -> dict[str, Any]:
    """A checkpoint under a key of another kind, ECDSA by its number, with the log's name."""
    blob = b"\x02" + b"\x05" * 32
    number = hashlib.sha256(log.origin.encode() + b"\n" + blob).digest()[:4]
    line = f"\u2014 {log.origin} {base64.b64encode(number + bytes(64)).decode()}\n"
    notes = tuple(note.partition("\n\n")[0] + "\n\n" + line for note in log.notes())
    vkey = f"{log.origin}+{number.hex()}+{base64.b64encode(blob).decode()}"
    return {"checkpoints": notes, "keys": (vkey,)}


def _exporter() -> Iterator[Vector]:
    log = sealed(story())
    lines = log.lines()
    edited = lines[1].document.replace(b"record 2", b"record 9")
    yield _relined("edit", log, "record-altered", {1: replace(lines[1], document=edited)})
    two = {1: replace(lines[1], document=lines[4].document), 4: replace(lines[4], document=lines[1].document)}
    yield _relined("reorder", log, "record-altered", two)
    moved = {1: replace(lines[1], proof=lines[2].proof)}
    yield _relined("proof-of-another", log, "proof-broken", moved)
    short = {1: replace(lines[1], proof=replace(lines[1].proof, path=lines[1].proof.path[:-1]))}
    yield _relined("proof-cut-short", log, "proof-broken", short)
    stray = {1: replace(lines[1], log="tachograph/example/1")}
    yield _relined("proof-of-another-log", log, "proof-broken", stray)
    yield _relined(
        "unsealed", log, "record-unsealed", {6: replace(lines[6], leaf=None, log=None, proof=None)}
    )
    yield _relined("not-yet-covered", log, "record-unsealed", {6: replace(lines[6], proof=None)})
    write = Strand(seq=2, last="0" * 64)
    extra = (
        *lines,
        replace(lines[0], leaf=None, log=None, proof=None, document=write.record("request").value),
    )
    yield _bundled("insert", log, "record-unsealed", lines=extra)
    for name, change in (
        ("leaf-type", {"type": "response"}),
        ("leaf-day", {"day": "2026.11.22"}),
        ("leaf-session", {"session": OTHER_SESSION}),
        ("leaf-uid", {"uid": uuid.UUID(int=7)}),
    ):
        leaf = lines[1].leaf.model_copy(update=change)
        yield _relined(f"{name}-disagrees", log, "leaf-disagrees", {1: replace(lines[1], leaf=leaf)})
    leaf = lines[1].leaf.model_copy(update={"offset": 99})
    yield _relined("leaf-offset-disagrees", log, "leaf-disagrees", {1: replace(lines[1], leaf=leaf)})
    yield _bundled("repeated-line", log, "leaf-disagrees", lines=(*lines, lines[6]))
    yield _relined("leaf-node-confusion", log, "leaf-node-confusion", _inner(log))
    yield _relined("document-deleted", log, "document-missing", {4: replace(lines[4], document=None)})
    yield _bundled("record-left-out", log, "record-missing", lines=(*lines[:1], *lines[2:]))
    yield _bundled("tail-left-out", log, "tail-missing", lines=tuple(lines[:6]))
    yield _bundled("part-left-out", log, "part-missing", lines=(*lines[:5], lines[6]))
    yield _bundled("message-left-out", log, "part-missing", lines=(*lines[:3], *lines[4:]))
    yield _bundled("first-message-left-out", log, "part-missing", lines=(*lines[:2], *lines[3:]))
    yield _bundled("session-left-out", log, "session-missing", lines=())


def _inner(log: Log) -> dict[int, Any]:
    """The two leaves below a node, passed off as one record."""
    left, right = (bytes.fromhex(log.leaves[n].leaf) for n in (0, 1))
    line = log.lines()[0]
    leaf = line.leaf.model_copy(update={"leaf": node_hash(left, right).hex(), "index": 0})
    path = log.tree.inclusion(0, 9)[1:]
    return {0: replace(line, leaf=leaf, document=left + right, proof=replace(line.proof, path=path))}


def _documents() -> Iterator[Vector]:
    """The log's holder has sealed these: their leaves and proofs are good."""
    docs = story()
    for name, change in (
        ("duplicate-key", lambda data: data.replace(b'"seq":1', b'"seq":1,"seq":1')),
        ("float-for-integer", lambda data: data.replace(b'"seq":1,', b'"seq":1.0,')),
        ("white-space", lambda data: data.replace(b'"seq":1,', b'"seq": 1,')),
        ("needless-escape", lambda data: data.replace(b"record 2", b"r\\u0065cord 2")),
        ("not-a-number", lambda data: data.replace(b'"seq":1,', b'"seq":NaN,')),
        ("same-key-in-nfd", lambda data: data.replace(b"{", '{"\u00e9":1,"e\u0301":2,'.encode(), 1)),
        ("not-utf-8", lambda data: data.replace(b"record 2", b"record \xff")),
        ("nested", lambda data: data.replace(b'"record 2"', b"[" * 70 + b"]" * 70)),
    ):
        yield _replaced(f"json-{name}", {1: replace(docs[1], value=change(docs[1].value))}, "json-ambiguous")
    for name, facts in (
        ("version", {"v": 2}),
        ("type", {"raw_len": -1}),
        ("commitment", {"raw_commit": "00"}),
    ):
        yield _replaced(f"header-{name}", {1: docs[1].edited(_tacho(**facts))}, "header-malformed")
    lacking = docs[1].edited(lambda value: value["unmapped"]["tacho"].pop("raw_commit"))
    yield _replaced("header-field-missing", {1: lacking}, "header-malformed")
    wrong = str(event_uid(EPOCHS[0], EPOCHS[0], 1))
    yield _replaced("uid-forged", {1: replace(docs[1].edited(_named(wrong)), uid=wrong)}, "uid-forged")
    spliced = Strand(session=OTHER_SESSION, epoch=EPOCHS[0], seq=1, last="0" * 64).record(
        "request", body="{}"
    )
    yield _sessions("splice", [*docs[:1], spliced, *docs[2:]], "session-spliced")
    forked = Strand(seq=1, last="0" * 64).record("request", body="{}")
    yield _made("session-fork", sealed([*docs, forked]), "session-forked")
    other = docs[4].edited(_tacho(body="another body"))
    yield _made("same-id-other-body", sealed([*docs, other]), "same-id-other-body")
    log = sealed([*docs, other])
    lines = [*log.lines()[:-1], replace(log.lines()[-1], document=None)]
    yield _bundled("same-id-hidden-body", log, "same-id-other-body", lines=tuple(lines))
    yield _replaced("header-edited", {1: docs[1].edited(_tacho(incomplete=True))}, "chain-broken")
    yield _replaced("principal-in-nfd", {1: docs[1].edited(_person("e\u0301"))}, "chain-broken")
    yield _replaced("ruleset-missing", {1: docs[1].edited(_tacho(ruleset=None))}, "ruleset-refused")
    known = policy(rulesets=["ruleset-1"])
    swapped = {1: docs[1].edited(_tacho(ruleset="ruleset-0"))}
    yield replace(_replaced("ruleset-swap", swapped, "ruleset-refused"), policy=known)
    write = Strand()
    late = [*story(write), write.record("request")]
    yield _made("record-after-close", sealed(late), "chain-broken")
    yield _replaced("close-miscounts", {6: docs[6].edited(_tacho(records=9))}, "chain-broken")


def _holes() -> Iterator[Vector]:
    """The log's holder has left these out and sealed the rest anew."""
    docs = story()
    yield _made("delete-in-the-middle", sealed([*docs[:1], *docs[2:]]), "record-missing")
    yield _made("delete-the-head", sealed(docs[1:]), "record-missing")
    yield _made("delete-the-tail", sealed(docs[:-1]), "tail-missing")
    yield _made("still-open", sealed(story(closed=False)), "tail-missing")
    yield _made("delete-a-part", sealed([*docs[:5], docs[6]]), "part-missing")
    yield _made("delete-the-session", sealed([filler(7), filler(8)]), "session-missing")


def _made(name: str, log: Log, verdict: str, trust: dict[str, Any] | None = None) -> Vector:
    return Vector(name, write_bundle(bundle(log), EXPORTER), verdict, trust or policy())


def _bundled(
    name: str, log: Log, verdict: str, trust: dict[str, Any] | None = None, **changes: Any
) -> Vector:
    return Vector(name, write_bundle(bundle(log, **changes), EXPORTER), verdict, trust or policy())


def _relined(name: str, log: Log, verdict: str, changed: dict[int, Any]) -> Vector:
    lines = [changed.get(number, line) for number, line in enumerate(log.lines())]
    return _bundled(name, log, verdict, lines=tuple(lines))


def _replaced(name: str, changed: dict[int, Doc], verdict: str) -> Vector:
    return _made(name, sealed([changed.get(n, doc) for n, doc in enumerate(story())]), verdict)


def _sessions(name: str, docs: list[Doc], verdict: str) -> Vector:
    log = sealed(docs)
    lines = tuple(log.line(*pair) for pair in zip(log.leaves, log.documents, strict=True) if pair[1] in docs)
    return _bundled(name, log, verdict, lines=lines)


def _tacho(**facts: Any) -> Edit:
    return lambda value: value["unmapped"]["tacho"].update(facts)


def _named(uid: str) -> Edit:
    def change(value: dict[str, Any]) -> None:
        value["metadata"]["uid"] = value["unmapped"]["tacho"]["uid"] = uid

    return change


def _person(name: str) -> Edit:
    return lambda value: value["unmapped"]["tacho"]["principal"].update({"id": name})
