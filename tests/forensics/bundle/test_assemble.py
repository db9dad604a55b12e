"""From logs and documents to a bundle: proven as far as checkpoints reach, honest about what is missing."""

import json
from dataclasses import replace

from deletions import deletion_policy, statement, statement_document
from world import DAY, EXPORTER, LOG, ORIGIN, SESSION, TIMES, Doc, Log, sealed, story

from tachograph.forensics.bundle.assemble import LogPart, Taken, assemble, chosen
from tachograph.forensics.bundle.content import Bundle, write_bundle
from tachograph.forensics.published import Published
from tachograph.forensics.verify.policy import TrustPolicy
from tachograph.forensics.verify.report import State
from tachograph.forensics.verify.verify import verify_bundle
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.note import open_note

TAKEN = Taken(str(SESSION), "2026-11-23T07:00:00Z", "test", "auditor", f"session {SESSION}")


def part(log: Log) -> LogPart:
    notes = tuple(Published(note, Checkpoint.parse(open_note(note, [LOG.key]).text)) for note in log.notes())
    ours = tuple(leaf for leaf in log.leaves if leaf.session == SESSION)
    return LogPart(ORIGIN, [bytes.fromhex(leaf.leaf) for leaf in log.leaves], ours, notes)


def made(log: Log, docs: list[Doc]) -> Bundle:
    return assemble(TAKEN, [part(log)], {doc.uid: doc.value for doc in docs}, [])


def test_every_leaf_is_proven_to_the_checkpoint_that_covers_all() -> None:
    """And a step leads from there to the last one."""
    docs = story()
    bundle = made(sealed(docs, cuts=(4, 9, 10)), docs)
    assert [line.document for line in bundle.lines] == [doc.value for doc in docs]
    assert {line.proof.checkpoint for line in bundle.lines if line.proof} == {0}
    assert [(step.first, step.second) for step in bundle.consistency] == [(0, 1)]
    assert bundle.custody[0].found == {"documents": 7, "documents_missing": 0, "leaves": 7, "unsealed": 0}


def test_what_is_missing_is_said() -> None:
    """A document that is gone, one that has no leaf, and leaves past the last checkpoint."""
    docs = story()
    bundle = made(sealed(docs, cuts=(5,)), docs[1:])
    assert bundle.custody[0].found["documents_missing"] == 1
    assert bundle.custody[0].found["unsealed"] == sum(line.proof is None for line in bundle.lines) > 0
    alone = assemble(TAKEN, [], {docs[0].uid: docs[0].value}, [])
    assert (alone.lines[0].leaf, alone.lines[0].document) == (None, docs[0].value)


def test_a_record_that_was_sealed_twice_is_one_line() -> None:
    """Kafka may hold it twice; another body under its uid stays a line of its own, without a document."""
    docs = story()
    other = docs[4].edited(lambda value: value.update(message="another"))
    bundle = made(sealed([*docs, docs[1], other]), docs)
    assert len(bundle.lines) == 8
    assert [line.document is None for line in bundle.lines].count(True) == 1


def test_both_leaves_of_what_was_sealed_twice_are_there_once_a_statement_names_them() -> None:
    """Each that is named has to be: else a lawful deletion reads as one of records that never were."""
    docs = story()
    twice = [*docs, docs[1]]
    indices = [leaf.index for leaf in part(sealed(twice)).leaves]
    records = tuple((at, DAY, doc.type, doc.uid) for at, doc in zip(indices, twice, strict=True))
    said = statement_document(statement(docs, dict(enumerate(indices[:-1])), records=records))
    log = sealed([*twice, said])
    policy = TrustPolicy.parse(json.dumps(deletion_policy()), file="trust.json")
    for left in ([said], [*docs, said]):  # done, and interrupted before anything went
        report = verify_bundle(write_bundle(made(log, left), EXPORTER), policy)
        assert (report.findings, len(report.records)) == ((), 9)
        assert sum(item.state is State.ERASED for item in report.records) == (8 if left == [said] else 0)
    assert len(made(sealed(twice), docs).lines) == 7


def test_what_is_anchored_goes_out_with_what_is_not_yet() -> None:
    """Behind the first that covers: the one that most have signed, the first with a time stamp, the last."""
    log = part(sealed(story(), cuts=(4, 9, 9, 10, 10, 10), times=TIMES * 2))
    notes = list(log.notes)
    notes[0] = replace(notes[0], token=b"too early")
    notes[2] = replace(notes[2], note=notes[2].note + "\u2014 w AAAAAAA=\n")
    notes[3] = replace(notes[3], token=b"stamp", note=notes[3].note + "\u2014 w AAAAAAA=\n")
    notes[4] = replace(notes[4], token=b"again")
    assert chosen(replace(log, notes=tuple(notes))) == (notes[1], notes[2], notes[3], notes[5])
    docs = story()
    bundle = assemble(TAKEN, [replace(log, notes=tuple(notes))], {doc.uid: doc.value for doc in docs}, [])
    assert bundle.timestamps == ((2, b"stamp"),)
    assert [(step.first, step.second) for step in bundle.consistency] == [(0, 1), (1, 2), (2, 3)]


def test_one_checkpoint_is_enough_where_the_last_covers_first() -> None:
    """No step from a checkpoint to itself."""
    assert len(chosen(part(sealed(story(), cuts=(10,))))) == 1
    assert chosen(LogPart(ORIGIN, [], (), ())) == ()
