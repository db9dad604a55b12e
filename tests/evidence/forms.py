"""Forms that one reader could take and another refuse: checkpoints and keys that are almost right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from attacks import Vector
from deletions import deletion_policy, statement, statement_document
from world import EXPORTER, LOG, OTHER_SESSION, Log, bundle, filler, resigned, sealed, story

from tachograph.forensics.bundle.content import write_bundle
from tachograph.schemas.merkle import EMPTY_ROOT

__all__ = ["form_vectors"]

NOTE = "checkpoints/00000001.note"


def form_vectors() -> Iterator[Vector]:
    """All of them; names are unique among all vectors."""
    files = bundle(sealed(story())).files()
    text = files[NOTE].decode().rpartition("\n\n")[0] + "\n"
    origin, size, root, time = text.splitlines()
    for name, lines in (
        ("offset-twice", (origin, size, root, time, "offset 1", "offset 1")),
        ("offset-first", (origin, size, root, "offset 1", time)),
        ("time-behind-others", (origin, size, root, "note x", time)),
        ("time-without-value", (origin, size, root, time, "time")),
        ("size-beyond-63-bits", (origin, str(1 << 63), root, time)),
        ("of-nothing-with-a-root", (origin, "0", root, time)),
    ):
        note = LOG.sign("".join(f"{line}\n" for line in lines)).encode()
        yield Vector(f"checkpoint-{name}", resigned({**files, NOTE: note}), "content-malformed")
    month = LOG.sign(text.replace("2026-11", "2026-13")).encode()
    yield Vector("checkpoint-of-no-month", resigned({**files, NOTE: month}), "checkpoint-backdated")
    name = files[NOTE].replace(b"\xe2\x80\x94 tachograph", b"\xe2\x80\x94 tacho\xffgraph")
    yield Vector("checkpoint-not-utf-8", resigned({**files, NOTE: name}), "content-malformed")
    for name, encoded in (("padding", b"AQA"), ("spare-bits", b"AQB="), ("empty", b"")):
        keys = b'{"keys":["%b+00000000+%b"],"v":1}' % (LOG.key.name.encode(), encoded)
        yield Vector(f"keys-odd-{name}", resigned({**files, "keys.json": keys}), "content-malformed")
    yield _nothing_yet()
    yield from _statements()


def _nothing_yet() -> Vector:
    """A log whose first checkpoint in the bundle is of before there was anything in it."""
    log = sealed(story(), cuts=(0, 10))
    assert log.tree.root(0) == EMPTY_ROOT
    return Vector("checkpoint-of-nothing", write_bundle(bundle(log), EXPORTER), "complete")


def _statements() -> Iterator[Vector]:
    """A leaf that a statement names, or the statement's own, says something else."""
    docs = story()
    said = statement_document(statement(docs, {6: 7}))
    log = Log([filler(1), *docs, said, filler(2)])
    lines = [
        replace(line, folder="deletions") if line.document == said.value else line for line in log.lines()
    ]
    named, own = lines[6].leaf, lines[7].leaf
    assert named is not None
    assert own is not None
    gone = replace(lines[6], document=None)
    other = replace(gone, leaf=named.model_copy(update={"session": OTHER_SESSION}))
    altered = replace(lines[7], leaf=own.model_copy(update={"leaf": "ab" * 32}))
    for name, found, verdict in (
        ("deletion-names-a-leaf-of-another-session", (*lines[:6], other, lines[7]), "record-missing"),
        ("deletion-of-another-leaf", (*lines[:6], gone, altered), "record-altered"),
    ):
        data = write_bundle(bundle(log, lines=found), EXPORTER)
        yield Vector(name, data, verdict, deletion_policy())
