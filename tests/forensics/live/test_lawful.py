"""Which statements make a missing document lawful."""

from __future__ import annotations

from typing import Any

import pytest
from deletions import DELETER, statement, statement_document
from world import ORIGIN, Doc, Log, story

from tachograph.forensics.live.lawful import Lawful
from tachograph.forensics.verify.report import Findings, State
from tachograph.schemas.note import NoteKey

DOCS = story()


def told(
    *stated: Doc, keys: list[NoteKey] | None = None, log: str = ORIGIN
) -> tuple[list[State | None], list[str]]:
    """What is said of the records after these statements."""
    findings, paper = Findings(), Log([*DOCS, *stated])
    lawful = Lawful([DELETER.key] if keys is None else keys, findings)
    for leaf, doc in list(zip(paper.leaves, paper.documents, strict=True))[len(DOCS) :]:
        lawful.add(log, leaf, doc.value)
    return [lawful.state(log, leaf) for leaf in paper.leaves[:3]], [
        item.verdict.word for item in findings.shown
    ]


def made(indices: dict[int, int], **changes: Any) -> Doc:
    return statement_document(statement(DOCS, indices, **changes))


def test_a_named_record_is_expired_or_erased() -> None:
    """An erasure tells more than an expiry, whichever came first."""
    expired, erased = made({0: 0, 1: 1}, type="retention.expired"), made({1: 1})
    for order in ((expired, erased), (erased, expired)):
        assert told(*order) == ([State.EXPIRED, State.ERASED, None], [])


@pytest.mark.parametrize(
    "stated",
    [made({0: 1}), made({0: 9}), made({0: 0}, log="tachograph/example/1")],
    ids=["other", "later", "log"],
)
def test_a_statement_of_something_else_covers_nothing(stated: Doc) -> None:
    """Of another record at that place, of one that comes later, of another log."""
    assert told(stated) == ([None] * 3, [])


def test_a_statement_by_nobody_is_named_and_one_that_is_gone_says_nothing() -> None:
    """A document that is not its leaf's is named where documents are compared."""
    assert told(made({0: 0}), keys=[]) == ([None] * 3, ["deletion-unauthorised"])
    findings = Findings()
    lawful = Lawful([DELETER.key], findings)
    leaf = Log([*DOCS, made({0: 0})]).leaves[-1]
    lawful.add(ORIGIN, leaf, None)
    lawful.add(ORIGIN, leaf, b"{}")
    assert (lawful.state(ORIGIN, Log(DOCS).leaves[0]), findings.shown) == (None, [])
