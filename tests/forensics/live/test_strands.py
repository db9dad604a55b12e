"""Places of strands, in any order and with anything missing."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st
from world import EPOCHS, SESSION, Doc, Strand

from tachograph.forensics.live.strands import Strands
from tachograph.forensics.verify.documents import read_document
from tachograph.forensics.verify.places import MAX_HOLE
from tachograph.forensics.verify.report import Findings
from tachograph.schemas.heartbeat import StrandState

PLACES = 6


def written() -> list[Doc]:
    write = Strand()
    return [
        write.record("session.open"),
        *(write.record("request") for _ in range(PLACES - 2)),
        write.close(),
    ]


DOCS = written()
HEAD = Strand()


def add(strands: Strands, doc: Doc) -> bool:
    found = read_document(doc.value)
    assert found.header is not None
    assert found.canonical is not None
    return strands.add(found.header, found.canonical)


def judged(order: list[int], leaves: set[int] = frozenset(), records: int = PLACES) -> dict[str, str]:  # type: ignore[assignment]  # it is not changed
    findings = Findings()
    strands = Strands(findings)
    for number in order:
        add(strands, DOCS[number])
    if records:
        state = StrandState(
            session=str(SESSION), epoch=str(EPOCHS[0]), records=records, head="0" * 64, open=True
        )
        strands.told(state)
    there = {uuid.UUID(DOCS[number].uid).bytes for number in leaves}
    assert strands.judge(lambda _: there) == set()
    return {item.verdict.word: item.text for item in findings.shown}


@given(st.permutations(range(PLACES)), st.lists(st.integers(0, PLACES - 1)))
def test_in_any_order_and_again_nothing_is_missing(order: list[int], again: list[int]) -> None:
    """Ranges grow together whatever comes first."""
    assert judged([*order, *again], records=PLACES - 1) == {}


@given(st.sets(st.integers(0, PLACES - 1), min_size=1), st.sets(st.integers(0, PLACES - 1)))
def test_each_place_is_a_document_a_leaf_or_missing(there: set[int], leaves: set[int]) -> None:
    """Below the last document it is a record that is missing, above it a tail."""
    found = judged(sorted(there), leaves, PLACES + 1)
    gone = set(range(PLACES + 1)) - there - leaves
    middle, tail = {n for n in gone if n < max(there)}, {n for n in gone if n > max(there)}
    assert found.get("record-missing", "0").split()[0] == str(len(middle))
    assert found.get("tail-missing", "0").split()[0] == str(len(tail))


def test_a_place_counts_once() -> None:
    """The second document of a place is no new one."""
    strands = Strands(Findings())
    assert (add(strands, DOCS[0]), add(strands, DOCS[0]), len(strands), strands.unattested) == (
        True,
        False,
        1,
        1,
    )


def test_a_strand_of_which_nothing_is_left_is_named() -> None:
    """As a whole; a hole too wide to look into is missing as it stands."""
    assert list(judged([])) == ["strand-missing"]
    assert judged([0], set(range(PLACES)), MAX_HOLE + 2)["tail-missing"].startswith(f"{MAX_HOLE + 1} of")


def test_a_chain_that_does_not_hold_is_named() -> None:
    """Another header before, a second beginning, another head than a heartbeat's."""
    findings, other = Findings(), Strand(seq=1, last="1" * 64)
    strands = Strands(findings)
    add(strands, DOCS[0])
    add(strands, other.record("session.open"))
    assert [item.verdict.word for item in findings.shown] == ["chain-broken", "chain-broken"]
    assert list(judged([0], records=1)) == ["chain-broken"]


def test_in_a_window_only_what_comes_after_its_first_document_is_asked_for() -> None:
    """What is before it may be older than the window."""
    findings = Findings()
    strands = Strands(findings, windowed=True)
    add(strands, DOCS[2])
    add(strands, DOCS[4])
    strands.told(
        StrandState(session=str(uuid.UUID(int=1)), epoch=str(EPOCHS[1]), records=3, head="0" * 64, open=True)
    )
    assert strands.judge(lambda _: None) == set()
    assert [item.text for item in findings.shown] == ["1 places have no leaf"]
