"""The chain by itself; tests/evidence has it within bundles."""

from world import Strand, story

from tachograph.forensics.verdict import Verdict
from tachograph.forensics.verify.documents import read_document
from tachograph.forensics.verify.places import MAX_HOLE
from tachograph.forensics.verify.report import Findings
from tachograph.forensics.verify.strands import check_strands


def test_a_whole_strand_has_no_findings() -> None:
    """From open to close; its places are known by their uids."""
    findings, documents = Findings(), [read_document(doc.value) for doc in story()]
    placed = {item.uid for item in documents if item.header is not None}
    assert check_strands(documents, {}, findings) == ([], placed)
    assert findings.verdict is Verdict.COMPLETE


def test_a_leaf_stands_for_its_place() -> None:
    """A document that is gone leaves no hole where its leaf is; the leaf of the close ends the strand."""
    findings, docs = Findings(), story()
    documents = [read_document(doc.value) for doc in docs[:-1] if doc.type != "request"]
    lost = {doc.uid: doc.type for doc in docs if doc.type in {"request", "session.close"}}
    assert check_strands(documents, lost, findings)[0] == []
    assert findings.counts == {}


def test_a_gap_of_any_width_is_counted_at_once() -> None:
    """A seq of 2^50 does not keep the verifier busy."""
    findings, far = Findings(), 1 << 50
    documents = [read_document(Strand().record("session.open").value)]
    documents.append(read_document(Strand(seq=far).record("request").value))
    assert far > MAX_HOLE
    assert check_strands(documents, {}, findings)[0][0].count == far - 1
