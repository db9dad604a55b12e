"""What one reader could take and another refuse: values in a second writing, lines that are not all good,
texts and numbers beyond their bounds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from attacks import Vector
from contradictions import BAD, SEALED
from deletions import DELETER, STRANGER, deletion_policy, statement, statement_document
from heartbeats import GATEWAY, OTHER_GATEWAY, Boot, made, state, told_by
from world import (
    EPOCHS,
    EXPORTER,
    SESSION,
    START_MS,
    WITNESS,
    Doc,
    Log,
    Strand,
    bundle,
    document,
    filler,
    policy,
    resigned,
    said,
    sealed,
    story,
)

from tachograph.forensics.bundle.content import write_bundle
from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.deletion import statement_text

__all__ = ["reading_vectors"]

STATEMENTS = uuid.UUID("5d1c6e0b-0d0f-5c8b-9a55-3c0f4b7e2a90")
HOLE = 100_001
"""A place before which as many are missing as a verifier looks for, though two have a leaf."""


def reading_vectors() -> Iterator[Vector]:
    """All of them; names are unique among all vectors."""
    yield from _signatures()
    yield from _certificates()
    yield _cosigned_twice()
    yield from _beats()
    yield from _second_lines()
    yield from _statements()
    yield from _bounds()
    yield _holes()


def _heard() -> tuple[list[Doc], list[Doc]]:
    """The story, and what its gateway said of it when it was over."""
    write, boot = Strand(), Boot()
    told = story(write)
    return told, [boot.opening(), boot.beat(state(write, is_open=False))]


def _signatures() -> Iterator[Vector]:
    """The 64 bytes that the boot has signed with, in another writing than the one."""
    told, (opened, beat) = _heard()
    good = said(beat)["signature"]
    odd = chr(ord(good[-3]) + 1)  # one of A, Q, g, w: the next has a spare bit set
    for name, signature in (
        ("newline", good[:40] + "\n" + good[40:]),
        ("padded-twice", good + "=="),
        ("spare-bits", f"{good[:-3]}{odd}=="),
    ):
        bad = _with(beat, signature=signature)
        yield made(f"heartbeat-signature-{name}", told_by(told, [opened, bad]), "heartbeat-forged")


def _certificates() -> Iterator[Vector]:
    """A certificate that only has what was signed once somebody fills it in, or takes something away."""
    told, (opened, beat) = _heard()
    form = said(opened)["boot"]
    short = {key: value for key, value in form.items() if key != "previous"}
    for name, boot in (("without-previous", short), ("ended-is-null", form | {"ended": None})):
        bad = _with(opened, boot=boot)
        yield made(f"boot-{name}", told_by(told, [bad, beat]), "heartbeat-forged")


def _cosigned_twice() -> Vector:
    """A witness has seen one checkpoint at two times, of which one is not the checkpoint's."""
    trust = policy(witnesses={"required": 1, "keys": [str(WITNESS.key)]})
    log = sealed(story(), witnesses=[(WITNESS, SEALED), (WITNESS, SEALED + 9_999)])
    data = write_bundle(bundle(log), EXPORTER)
    return Vector("cosigned-in-time-and-late", data, "checkpoint-backdated", trust)


def _with(doc: Doc, **facts: object) -> Doc:
    return doc.edited(lambda value: value["unmapped"]["tacho"].update(facts))


def _beats() -> Iterator[Vector]:
    """What one boot says in several records."""
    write, boot = Strand(), Boot()
    running = story(write, closed=False)
    beats = [boot.opening(), boot.beat(state(write, is_open=True)), boot.beat(), boot.beat(second=0)]
    yield made("heartbeats-pass-over-in-between", told_by(running, beats), "tail-missing")
    for name, seeds in (("first", (30, 33)), ("last", (33, 30))):
        write, boot = Strand(), Boot()
        told, opened = story(write), []
        for boot.seed in seeds:
            opened.append(boot.opening())
        boot.seed = 30
        beat = boot.beat(state(write, is_open=False))
        yield made(f"boot-with-two-keys-{name}", told_by(told, [*opened, beat]), "heartbeat-forged")


def _second_lines() -> Iterator[Vector]:
    """Behind a good line a bad one by another key of the same list."""
    told, (opened, beat) = _heard()
    note = said(opened)["boot_note"]
    bad = _with(opened, boot_note=note + OTHER_GATEWAY.line(_text(note), BAD))
    for other, revoked in (("another", False), ("a-revoked", True)):
        keys = [{"key": str(GATEWAY.key)}, {"key": str(OTHER_GATEWAY.key), "revoked": revoked}]
        trust = policy(gateways=keys)
        yield made(
            f"boot-note-and-{other}-that-is-bad", told_by(told, [bad, beat]), "heartbeat-forged", trust
        )
        keys = [{"key": str(DELETER.key)}, {"key": str(STRANGER.key), "revoked": revoked}]
        docs = story()
        stated = statement_document(statement(docs, {1: 2}))
        note = said(stated)["deletion_note"]
        stated = _with(stated, deletion_note=note + STRANGER.line(_text(note), BAD))
        name = f"deletion-note-and-{other}-that-is-bad"
        yield _deleted(name, docs, stated, "deletion-unauthorised", policy(deletions=keys))


def _statements() -> Iterator[Vector]:
    """Statements that somebody signs although no record can be what they name."""
    docs = story()
    honest = statement(docs, {1: 2}).said()
    index, day, kind, uid = honest["records"][0]
    for name, verdict, facts in (
        ("names-a-statement", "deletion-unauthorised", {"records": [[index, day, "erasure", uid]]}),
        ("names-a-long-type", "deletion-unauthorised", {"records": [[index, day, "x" * 65, uid]]}),
        ("names-a-type-that-fits", "record-missing", {"records": [[index, day, "x" * 64, uid]]}),
        ("in-a-log-with-a-control-character", "deletion-unauthorised", {"log": "x\x7f"}),
        ("as-it-is", "reduced", {"records": [[index, day, kind, uid]]}),
    ):
        yield _deleted(f"deletion-{name}", docs, _stated(honest | facts), verdict, deletion_policy())


def _stated(statement: dict[str, Any]) -> Doc:
    """The document of a statement that nobody has looked at before it was signed."""
    canonical = canonical_json(statement)
    facts = {
        "v": 1,
        "uid": str(uuid.uuid5(STATEMENTS, sha256_hex(canonical))),
        "type": statement["type"],
        "session": statement["session"],
        "deletion": statement,
        "deletion_note": DELETER.sign(statement_text(canonical)),
    }
    return document(facts, number=30)


def _deleted(name: str, docs: Sequence[Doc], stated: Doc, verdict: str, trust: dict[str, Any]) -> Vector:
    """The request is gone, and this statement is there."""
    log = Log([filler(1), *docs, stated, filler(2)])
    there = log.lines()
    there[1], there[-1] = replace(there[1], document=None), replace(there[-1], folder="deletions")
    return Vector(name, write_bundle(bundle(log, lines=tuple(there)), EXPORTER), verdict, trust)


def _bounds() -> Iterator[Vector]:
    """Texts and numbers as long as they may be, and longer."""
    for name, size, verdict in (("fits", 64, "complete"), ("is-long", 65, "content-malformed")):
        facts = {"v": 1, "uid": str(uuid.UUID(int=9)), "type": "x" * size, "session": str(SESSION)}
        log = sealed([*story(), replace(document(facts, number=9), type="x")])
        *others, last = log.lines()
        assert last.leaf is not None
        last = replace(last, leaf=last.leaf.model_copy(update={"type": "x" * size}))
        data = write_bundle(bundle(log, lines=(*others, last)), EXPORTER)
        yield Vector(f"leaf-type-{name}", data, verdict)
    log = sealed(story())
    there = log.lines()
    assert there[1].leaf is not None
    there[1] = replace(there[1], document=None, leaf=there[1].leaf.model_copy(update={"type": ""}))
    data = write_bundle(bundle(log, lines=tuple(there)), EXPORTER)
    yield Vector("leaf-type-is-empty", data, "document-missing")
    files = bundle(sealed(story())).files()
    for name, count, verdict in (
        ("fits", (1 << 53) - 1, "complete"),
        ("beyond-number", 1 << 53, "content-malformed"),
        ("beyond-64-bits", 1 << 64, "content-malformed"),
        ("below-nothing", -1, "content-malformed"),
    ):
        custody = files["custody.jsonl"].replace(b'"leaves":7', b'"leaves":%d' % count)
        yield Vector(f"custody-count-{name}", resigned({**files, "custody.jsonl": custody}), verdict)


def _holes() -> Vector:
    """Two strands with one document far behind some leaves: those of the second are not all looked for."""
    docs, left = [], []
    for epoch in EPOCHS:
        left += [Strand(epoch=epoch, seq=seq).record("request") for seq in (0, 5)]
        far = Strand(epoch=epoch, seq=HOLE).record("request")
        docs.append(far.edited(lambda value: value.update(time=START_MS)))
    log = Log([filler(1), *left, *docs, filler(2)])
    there = log.lines()
    there[:4] = [replace(line, document=None) for line in there[:4]]
    return Vector("holes", write_bundle(bundle(log, lines=tuple(there)), EXPORTER), "record-missing")


def _text(note: str) -> str:
    return note.rpartition("\n\n")[0] + "\n"
