"""What one reader could take and another refuse: values in a second writing, lines that are not all good,
texts and numbers beyond their bounds."""

from __future__ import annotations

from collections.abc import Iterator

from attacks import Vector
from contradictions import SEALED
from heartbeats import Boot, made, state, told_by
from world import EXPORTER, WITNESS, Doc, Strand, bundle, policy, said, sealed, story

from tachograph.forensics.bundle.content import write_bundle

__all__ = ["reading_vectors"]


def reading_vectors() -> Iterator[Vector]:
    """All of them; names are unique among all vectors."""
    yield from _signatures()
    yield from _certificates()
    yield _cosigned_twice()


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
