"""Messages and parts: what is left out beside a lawful deletion, and documents that lie about their name."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

from attacks import Vector
from deletions import deletion_policy, statement, statement_document
from world import (
    EXPORTER,
    MESSAGES,
    OTHER_SESSION,
    PARTS,
    SESSION,
    Doc,
    Log,
    Strand,
    bundle,
    document,
    filler,
    message,
    part,
    said,
)

from tachograph.forensics.bundle.content import Line, write_bundle

__all__ = ["name_vectors"]

OPEN, REQUEST, M0, M1, M2, PIECE, RESPONSE, PART, CLOSE = range(9)
"""The documents of `told`, by their number."""
Edit = Callable[[dict[str, Any]], None]


def told() -> list[Doc]:
    """A request with three messages, the last of them in two pieces, and an answer in two parts."""
    first = message(0, parent="0" * 64, text="hello")
    second = message(1, parent=said(first)["message"]["hash"], text="hello to you")
    third = message(2, parent=said(second)["message"]["hash"], text="weigh the cargo")
    third = third.edited(_tacho(body_parts=1))
    write = Strand()
    opened = write.record("session.open", basis="claimed")
    head = {"head": said(third)["message"]["hash"], "count": 3, "messages_new": 1}
    asked = write.record("request", body="{}", conversation=head)
    answered = write.record("response", body="the beginning", body_parts=1)
    found = [opened, asked, first, second, third, _piece(third), answered, part(answered, 1)]
    return [*found, write.close()]


def _piece(of: Doc) -> Doc:
    """The rest of a long message."""
    uid = str(uuid.uuid5(PARTS, f"{of.uid}/1"))
    place = {"of": of.uid, "index": 1, "count": 1}
    return document({**said(of), "uid": uid, "part": place, "body": "the rest"} | {"body_parts": 0}, number=9)


def name_vectors() -> Iterator[Vector]:
    """All of them; names are unique among all vectors."""
    yield from _beside_a_deletion()
    yield from _under_older_statements()
    yield from _forged()
    yield from _odd_leaves()
    yield from _behind_the_close()


def _beside_a_deletion() -> Iterator[Vector]:
    """Deleted are the first, left out the second; the statement says what the deleted ones named."""
    for name, gone, left, verdict in (
        ("message", {M1}, {}, "reduced"),
        ("message-and-the-one-before-it-left-out", {M1}, {M0}, "part-missing"),
        ("message-and-its-piece-left-out", {M2}, {PIECE}, "part-missing"),
        ("messages-but-for-one-that-is-left-out", {M2, PIECE, M0}, {M1}, "part-missing"),
        ("request-and-its-messages", {REQUEST, M0, M1, M2, PIECE}, {}, "reduced"),
        ("request-and-its-messages-left-out", {REQUEST}, {M0, M1, M2, PIECE}, "part-missing"),
        ("response-and-its-part-left-out", {RESPONSE}, {PART}, "part-missing"),
    ):
        yield Vector(f"erased-{name}", _without(gone, left), verdict, deletion_policy())
    nobody = (uuid.UUID(int=77),)
    yield Vector("deletion-names-nobody", _without({M1}, names=nobody), "part-missing", deletion_policy())
    odd = statement_document(statement(told(), {M1: M1 + 1})).edited(
        lambda value: value["unmapped"]["tacho"]["deletion"].update(names=["M0"])
    )
    yield Vector("deletion-names-no-uuid", _bundled({}, {}, odd), "deletion-unauthorised", deletion_policy())


def _under_older_statements() -> Iterator[Vector]:
    """These do not say what the deleted ones named: what only they named is not missed, all else is."""
    trust = deletion_policy()
    for name, gone, left, verdict in (
        ("message", {M1}, {}, "reduced"),
        ("message-and-the-one-before-it-left-out", {M1}, {M0}, "reduced"),
        ("message-and-the-first-left-out", {M2}, {M0}, "part-missing"),
        ("message-and-the-last-left-out", {M1}, {M2, PIECE}, "part-missing"),
    ):
        yield Vector(f"erased-by-an-older-statement-{name}", _without(gone, left, names=None), verdict, trust)


def _forged() -> Iterator[Vector]:
    other = str(uuid.uuid5(MESSAGES, "another"))
    for name, number, edit, verdict in (
        ("message-uid-forged", M1, _named(other), "uid-forged"),
        ("message-of-another-day", M1, _tomorrow, "uid-forged"),
        ("message-of-another-connection", M1, _tacho(connection="another"), "uid-forged"),
        ("message-piece-uid-forged", PIECE, _named(other), "uid-forged"),
        ("part-uid-forged", PART, _named(other), "uid-forged"),
        ("part-of-another", PART, _tacho(part={"of": other, "index": 1}), "uid-forged"),
        ("part-that-is-none", PART, _tacho(part=None), "header-malformed"),
        ("message-that-is-none", M1, _tacho(message=None), "header-malformed"),
        ("message-index-is-a-float", M1, _message(index=1.0), "header-malformed"),
        ("message-index-is-negative", M1, _message(index=-1), "header-malformed"),
        ("connection-is-a-number", M1, _tacho(connection=7), "header-malformed"),
        ("body-parts-is-true", RESPONSE, _tacho(body_parts=True), "header-malformed"),
        ("body-parts-beyond-number", RESPONSE, _tacho(body_parts=2**53 - 1), "part-missing"),
    ):
        docs = told()
        docs[number] = Doc.of(_changed(docs[number], edit))
        log = Log([filler(1), *docs, filler(2)])
        yield Vector(name, write_bundle(bundle(log), EXPORTER), verdict)


def _odd_leaves() -> Iterator[Vector]:
    """A leaf without a document that says less, or another thing, than its place."""
    log = Log([filler(1), *told(), filler(2)])
    lines = log.lines()
    for name, number, facts, verdict in (
        ("request-of-another-session", REQUEST, {"session": OTHER_SESSION}, "document-missing"),
        ("request-of-no-session", REQUEST, {"session": None}, "document-missing"),
        ("request-without-uid", REQUEST, {"uid": None}, "record-missing"),
        ("close-of-another-session", CLOSE, {"session": OTHER_SESSION}, "document-missing"),
        ("close-without-uid", CLOSE, {"uid": None}, "tail-missing"),
        ("part-of-another-session", PART, {"session": OTHER_SESSION}, "document-missing"),
        ("part-without-uid", PART, {"uid": None}, "document-missing"),
        ("stray-without-uid", PART, {"uid": None, "type": "request"}, "document-missing"),
        ("stray-of-no-session", PART, {"session": None, "type": "request"}, "document-missing"),
    ):
        leaf = lines[number].leaf
        assert leaf is not None
        odd = replace(lines[number], leaf=leaf.model_copy(update=facts), document=None)
        found = (*lines[:number], odd, *lines[number + 1 :])
        yield Vector(f"leaf-{name}", write_bundle(bundle(log, lines=found), EXPORTER), verdict)


def _behind_the_close() -> Iterator[Vector]:
    """A leaf for a place after session.close."""
    docs, more = told(), Strand(seq=4).record("request")
    log = Log([filler(1), *docs, more, filler(2)])
    found = [replace(line, document=None) if line.document == more.value else line for line in log.lines()]
    data = write_bundle(bundle(log, lines=tuple(found)), EXPORTER)
    yield Vector("leaf-behind-the-close", data, "chain-broken")


def _without(gone: Collection[int], left: Collection[int] = (), **changes: Any) -> bytes:
    """These were lawfully deleted, and of those not even the leaf is there."""
    return _bundled(gone, left, statement_document(statement(told(), {n: n + 1 for n in gone}, **changes)))


def _bundled(gone: Collection[int], left: Collection[int], stated: Doc) -> bytes:
    log = Log([filler(1), *told(), stated, filler(2)])
    found: list[Line] = []
    for number, line in enumerate(log.lines(session=SESSION)):
        if line.document == stated.value:
            found.append(replace(line, folder="deletions"))
        elif number not in left:
            found.append(replace(line, document=None) if number in gone else line)
    return write_bundle(bundle(log, lines=tuple(found)), EXPORTER)


def _changed(doc: Doc, edit: Edit) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    doc.edited(lambda value: (edit(value), found.append(value))[0])
    return found[0]


def _tacho(**facts: Any) -> Edit:
    return lambda value: value["unmapped"]["tacho"].update(facts)


def _message(**facts: Any) -> Edit:
    return lambda value: value["unmapped"]["tacho"]["message"].update(facts)


def _tomorrow(value: dict[str, Any]) -> None:
    value["time"] += 86_400_000


def _named(uid: str) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        value["metadata"]["uid"] = value["unmapped"]["tacho"]["uid"] = uid

    return edit
