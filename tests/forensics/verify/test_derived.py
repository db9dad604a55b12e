"""Messages and parts by themselves; tests/evidence has them within bundles."""

import uuid

from world import Strand, story

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.derived import check_named
from tachograph.forensics.verify.documents import read_document
from tachograph.forensics.verify.report import Findings, State


def test_a_whole_story_names_nothing_that_is_missing() -> None:
    """Its messages, and the part of its answer."""
    findings, documents = Findings(), [read_document(doc.value) for doc in story()]
    assert check_named(documents, {uuid.UUID(documents[2].uid)}, {}, findings) == []
    assert findings.counts == {}


def test_what_is_named_and_not_there_is_missing_by_its_uid() -> None:
    """Once, however many name it; a leaf stands for its document."""
    docs = story()
    documents = [read_document(doc.value) for doc in docs if doc.type not in {"message", "part"}]
    head, part, deleted = docs[3].uid, docs[5].uid, uuid.UUID(int=7)
    findings = Findings()
    found = check_named([*documents, documents[1]], {deleted}, {}, findings)
    assert {(item.uid, item.type) for item in found} == {
        (head, "message"),
        (part, "part"),
        (str(deleted), "unknown"),
    }
    assert {(item.state, item.count) for item in found} == {(State.MISSING, 1)}
    assert findings.verdict is Verdict.PART_MISSING
    lost = {head: "message", part: "part", str(deleted): "message"}
    assert check_named(documents, {deleted}, lost, Findings()) == []


def test_any_number_of_parts_is_looked_for_at_once() -> None:
    """A count of 2^53 does not keep the verifier busy: the first that is missing is enough."""
    document = read_document(Strand().record("session.open", body_parts=2**53 - 1).value)
    assert len(check_named([document], (), {}, Findings())) == 1
