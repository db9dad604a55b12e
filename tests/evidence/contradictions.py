"""Bundles that say one thing well and, beside it, another: what is said twice must hold twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from attacks import NOON, Vector
from world import EXPORTER, LOG, RULES, WITNESS, Log, bundle, policy, sealed, story

from tachograph.forensics.bundle.content import Line, write_bundle

__all__ = ["contradiction_vectors"]

SEALED = NOON + 60
"""When the first checkpoint says that it was made; the last is a minute younger."""
YEAR = 365 * 86_400
BAD = b"x" * 64


def contradiction_vectors() -> Iterator[Vector]:
    """All of them; names are unique among all vectors."""
    witnessed = policy(witnesses={"required": 1, "keys": [str(WITNESS.key)]})
    for name, at, verdict in (
        ("cosigned-in-time", SEALED + 300, "complete"),
        ("cosigned-late", SEALED + 301, "checkpoint-backdated"),
        ("cosigned-a-year-later", SEALED + YEAR, "checkpoint-backdated"),
        ("cosigned-at-the-end-of-time", (1 << 64) - 1, "checkpoint-backdated"),
    ):
        log = sealed(story(), witnesses=[(WITNESS, at)])
        yield Vector(name, write_bundle(bundle(log), EXPORTER), verdict, witnessed)
    yield from _second_lines(witnessed)
    yield Vector("leaf-twice", _leaf_twice(), "leaf-disagrees")
    for name, number in (("message", 2), ("part", 5)):
        docs = story()
        docs[number] = docs[number].edited(lambda value: value["unmapped"]["tacho"].update(ruleset="x"))
        data = write_bundle(bundle(sealed(docs)), EXPORTER)
        yield Vector(f"ruleset-of-a-{name}", data, "ruleset-refused", policy(rulesets=[RULES]))


def _second_lines(witnessed: dict[str, Any]) -> Iterator[Vector]:
    """Behind a good line one of the same key that is not."""
    log = sealed(story(), witnesses=[(WITNESS, SEALED)])
    notes = log.notes()
    text = notes[-1].rpartition("\n\n")[0] + "\n"
    for name, line, trust in (
        ("signed-well-and-not", LOG.line(text, BAD), policy()),
        ("cosigned-well-and-not", WITNESS.line(text, bytes(8) + BAD), witnessed),
    ):
        told = bundle(log, checkpoints=(*notes[:-1], notes[-1] + line))
        yield Vector(name, write_bundle(told, EXPORTER), "checkpoint-forged", trust)


def _leaf_twice() -> bytes:
    """One leaf and its document in two lines, each with an offset of its own."""
    log: Log = sealed(story())
    there = [_spread(line) for line in log.lines()]
    again = _spread(there[1], more=1)
    return write_bundle(bundle(log, lines=(*there[:2], again, *there[2:])), EXPORTER)


def _spread(line: Line, *, more: int = 0) -> Line:
    assert line.leaf is not None
    offset = line.leaf.offset + more if more else line.leaf.index * 10
    return replace(line, leaf=line.leaf.model_copy(update={"offset": offset}))
