"""Lawful deletions and attempts at others: what was deleted from the honest bundle, and who states it.

The statement is sealed behind the session's records in the same log; who holds which key is what differs.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from attacks import Vector
from heartbeats import lines, told_while_recorded, trusting
from world import (
    DAY,
    EXPORTER,
    ORIGIN,
    OTHER_SESSION,
    SESSION,
    Doc,
    Log,
    bundle,
    document,
    filler,
    key,
    policy,
    resigned,
    story,
)
from world import said as said_by

from tachograph.forensics.bundle.content import Line, write_bundle
from tachograph.schemas.deletion import Statement, statement_text
from tachograph.schemas.derived import Naming
from tachograph.schemas.note import NoteSigner

__all__ = [
    "DELETER",
    "STRANGER",
    "deletion_policy",
    "deletion_vectors",
    "named_beside",
    "reduced",
    "statement",
    "statement_document",
]

DELETER = NoteSigner("tachograph/example/deletion", key(6))
STRANGER = NoteSigner("tachograph/example/deletion", key(7))
ALL = range(7)
Edit = Callable[[dict[str, Any]], None]


def deletion_policy(**changes: Any) -> dict[str, Any]:
    return policy(deletions=[{"key": str(DELETER.key)} | changes])


def statement(docs: list[Doc], indices: dict[int, int], **changes: Any) -> Statement:
    """About these documents, by their number and their leaf's index."""
    said = {
        "type": "erasure",
        "at": "2026-11-23T06:00:30Z",
        "by": "officer@example",
        "rule": "tacho erase: a session",
        "reason": "request 17",
        "session": SESSION,
        "log": ORIGIN,
        "records": tuple((at, DAY, docs[n].type, docs[n].uid) for n, at in sorted(indices.items())),
        "names": named_beside([docs[n] for n in indices]),
    } | changes
    return Statement.model_validate(said, strict=False)


def named_beside(docs: Iterable[Doc]) -> tuple[uuid.UUID, ...]:
    """The documents that these name, but for themselves."""
    gone = list(docs)
    found: set[uuid.UUID | None] = set()
    for doc in gone:
        naming = Naming.of(said_by(doc))
        found |= {naming.message_named(DAY.replace(".", "-")), *naming.parts_named(doc.uid)}
    others = found - {None} - {uuid.UUID(doc.uid) for doc in gone}
    return tuple(sorted(uid for uid in others if uid is not None))


def statement_document(said: Statement, signer: NoteSigner = DELETER) -> Doc:
    """The document that holds it, as it is published."""
    tacho = {
        "v": 1,
        "uid": str(said.uid),
        "type": said.type,
        "session": str(said.session),
        "deletion": said.said(),
        "deletion_note": signer.sign(statement_text(said.canonical())),
    }
    return document(tacho, number=30)


def _log(docs: list[Doc], *further: Doc) -> Log:
    """Somebody else's records among ours: ours have the indices 1, 2, 4 to 8."""
    return Log([filler(1), *docs[:2], filler(2), *docs[2:], *further, filler(3)])


def _index(number: int) -> int:
    return number + 1 if number < 2 else number + 2


def _bundle(log: Log, gone: list[Doc], stated: list[Doc]) -> bytes:
    return write_bundle(bundle(log, lines=tuple(_lines(log, gone, stated))), EXPORTER)


def _lines(log: Log, gone: list[Doc], stated: list[Doc]) -> Iterator[Line]:
    for leaf, doc in zip(log.leaves, log.documents, strict=True):
        if doc in stated:
            yield replace(log.line(leaf, doc), folder="deletions")
        elif doc.session == SESSION:
            yield log.line(leaf, None if doc in gone else doc)


def _stated(numbers: range | tuple[int, ...] = ALL, **changes: Any) -> tuple[list[Doc], Doc]:
    docs = story()
    return docs, statement_document(statement(docs, {n: _index(n) for n in numbers}, **changes))


def reduced(gone: range | tuple[int, ...] = ALL, **changes: Any) -> bytes:
    """What is left of the honest bundle after a lawful deletion of these documents."""
    docs, said = _stated(gone, **changes)
    return _bundle(_log(docs, said), [docs[n] for n in gone], [said])


def deletion_vectors() -> Iterator[Vector]:
    """All of them; names are unique."""
    trust = deletion_policy()
    yield Vector("erased", reduced(), "reduced", trust)
    yield Vector("erased-in-part", reduced((1, 4)), "reduced", trust)
    yield Vector("erased-tail", reduced((6,)), "reduced", trust)
    yield Vector("expired-messages", reduced((2, 3), type="retention.expired"), "reduced", trust)
    docs, said = _stated()
    yield Vector("stated-but-there", _bundle(_log(docs, said), [], [said]), "complete", trust)
    yield _under_heartbeats()
    yield from _unauthorised()
    yield from _uncovered()


def _under_heartbeats() -> Vector:
    """Of a strand that the gateway has named only leaves are left, and they are as many as it said."""
    docs, beats = told_while_recorded()
    said = statement_document(statement(docs, {n: n + 1 for n in ALL}))
    log = Log([filler(1), *docs, *beats, said, filler(2)])
    found = [
        replace(line, folder="deletions") if line.document == said.value
        else replace(line, document=None) if line.folder == "records" else line
        for line in lines(log)
    ]  # fmt: skip
    data = write_bundle(bundle(log, lines=tuple(found)), EXPORTER)
    return Vector("erased-under-heartbeats", data, "reduced", trusting(deletions=[{"key": str(DELETER.key)}]))


def _unauthorised() -> Iterator[Vector]:
    good, trust = reduced(), deletion_policy()
    yield Vector("deletion-key-unknown", good, "deletion-unauthorised")
    yield Vector("deletion-key-revoked", good, "deletion-unauthorised", deletion_policy(revoked=True))
    docs, said = _stated()
    for name, bad in (
        ("by-a-stranger", statement_document(statement(docs, {0: 1}), STRANGER)),
        ("edited", said.edited(_said(reason="another"))),
        ("without-note", said.edited(lambda value: value["unmapped"]["tacho"].pop("deletion_note"))),
        ("without-statement", said.edited(lambda value: value["unmapped"]["tacho"].pop("deletion"))),
        ("of-version-2", said.edited(_said(v=2))),
    ):
        made = _bundle(_log(docs, bad), docs, [bad])
        yield Vector(f"deletion-{name}", made, "deletion-unauthorised", trust)
    other = statement(docs, {n: _index(n) for n in ALL}, session=OTHER_SESSION)
    lent = replace(statement_document(other).edited(_tacho(session=str(SESSION))), session=SESSION)
    yield Vector(
        "deletion-of-another-session", _bundle(_log(docs, lent), docs, [lent]), "deletion-unauthorised", trust
    )
    plain = docs[1]
    yield Vector("deletion-is-none", _bundle(_log(docs), [], [plain]), "deletion-unauthorised", trust)


def _uncovered() -> Iterator[Vector]:
    trust = deletion_policy()
    docs, said = _stated((1,))
    yield Vector("deleted-beyond-it", _bundle(_log(docs, said), docs[1:3], [said]), "document-missing", trust)
    log = _log(docs, said)
    lines = [replace(line, proof=None) if line.folder == "deletions" else line
             for line in _lines(log, docs[1:2], [said])]  # fmt: skip
    data = write_bundle(bundle(log, lines=tuple(lines)), EXPORTER)
    yield Vector("deletion-not-sealed", data, "record-unsealed", trust)
    yield Vector("deletion-left-out", _bundle(_log(docs), docs[1:2], []), "document-missing", trust)
    early = statement_document(statement(docs, {1: 3}))
    log = Log([filler(1), docs[0], early, docs[1], *docs[2:], filler(3)])
    yield Vector("deletion-stated-before", _bundle(log, docs[1:2], [early]), "document-missing", trust)
    elsewhere = statement_document(statement(docs, {1: 2}, log="tachograph/example/1"))
    made = _bundle(_log(docs, elsewhere), docs[1:2], [elsewhere])
    yield Vector("deletion-in-another-log", made, "document-missing", trust)
    for name, records in (
        ("place", ((5, DAY, docs[1].type, docs[1].uid),)),
        ("type", ((2, DAY, "response", docs[1].uid),)),
        ("uid", ((2, DAY, docs[1].type, docs[4].uid),)),
    ):
        bad = statement_document(statement(docs, {}, records=records))
        made = _bundle(_log(docs, bad), docs[1:2], [bad])
        yield Vector(f"deletion-names-another-{name}", made, "record-missing", trust)
    log = _log(docs, said)
    kept = [line for line in _lines(log, docs[1:2], [said]) if line.document is not None]
    data = write_bundle(bundle(log, lines=tuple(kept)), EXPORTER)
    yield Vector("deletion-without-its-leaf", data, "record-missing", trust)
    files = bundle(log, lines=tuple(_lines(log, docs[1:2], [said]))).files()
    yield from _malformed(files)


def _malformed(files: dict[str, bytes]) -> Iterator[Vector]:
    extra = files | {"deletions/00000001.json": files["deletions/00000000.json"]}
    yield Vector("deletion-no-line-names", resigned(extra), "content-malformed", deletion_policy())
    both = files["leaves.jsonl"].replace(b'"record":0}', b'"record":0,"deletion":0}')
    yield Vector("deletion-and-record", resigned({**files, "leaves.jsonl": both}), "content-malformed",
                 deletion_policy())  # fmt: skip


def _said(**facts: Any) -> Edit:
    return lambda value: value["unmapped"]["tacho"]["deletion"].update(facts)


def _tacho(**facts: Any) -> Edit:
    return lambda value: value["unmapped"]["tacho"].update(facts)
