"""Bundles from which more was left out than was lawfully deleted, in the shelter of what was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from attacks import Vector
from deletions import DELETER, deletion_policy, statement, statement_document
from heartbeats import lines, told_while_recorded, trusting
from world import EXPORTER, Doc, Log, Strand, bundle, filler, story

from tachograph.forensics.bundle.content import Line, write_bundle

__all__ = ["leftover_vectors"]

WHOLE = range(7)


def leftover_vectors() -> Iterator[Vector]:
    """All of them; names are unique among all vectors."""
    named = trusting(deletions=[{"key": str(DELETER.key)}])
    for name, kept, verdict, told in (
        ("one-leaf", (1,), "record-missing", "heartbeat-missing"),
        ("only-the-first", (0,), "tail-missing", "heartbeat-missing"),
        ("all-but-the-first", range(1, 7), "record-missing", "heartbeat-missing"),
    ):
        yield Vector(f"erased-and-left-out-{name}", _left(kept), verdict, deletion_policy())
        yield Vector(f"erased-and-left-out-{name}-unnamed", _left(kept), told, named)
    for name, kept, verdict in (
        ("the-middle", (0, 6), "record-missing"),
        ("the-tail", (0, 1), "tail-missing"),
        ("nothing", WHOLE, "reduced"),
    ):
        yield Vector(f"erased-and-left-out-{name}-named", _left(kept, beats=True), verdict, named)
    yield Vector("parent-is-a-list", _odd({"message": {"index": 1, "parent": [1]}}), "header-malformed")
    yield Vector("head-is-an-object", _odd({"conversation": {"head": {}}}), "header-malformed")


def _left(kept: Iterable[int], *, beats: bool = False) -> bytes:
    """Leaves of some records, which a statement names; of the others nobody says anything."""
    docs, told = told_while_recorded()
    there = set(kept)
    said = statement_document(statement(docs, {n: n + 1 for n in there}, names=()))
    log = Log([filler(1), *docs, *told, said, filler(2)])
    found = [item for line in lines(log) if (item := _line(line, said, there, beats=beats)) is not None]
    return write_bundle(bundle(log, lines=tuple(found)), EXPORTER)


def _line(line: Line, said: Doc, there: set[int], *, beats: bool) -> Line | None:
    if line.document == said.value:
        return replace(line, folder="deletions")
    if line.folder == "heartbeats":
        return line if beats else None
    ours = line.leaf is not None and line.leaf.index - 1 in there
    return replace(line, document=None) if ours else None


def _odd(facts: dict[str, object]) -> bytes:
    """A document that names another by what is no text."""
    docs = story(Strand())
    number = 3 if "message" in facts else 1
    docs[number] = docs[number].edited(lambda value: value["unmapped"]["tacho"].update(facts))
    log = Log([filler(1), *docs, filler(2)])
    return write_bundle(bundle(log), EXPORTER)
