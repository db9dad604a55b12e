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


def twice(named: int, *, between: int = 0) -> Log:
    """The first record sealed twice, and a statement that names it at the index of one of these."""
    stated = statement_document(statement(DOCS, {0: named}))
    return Log([*DOCS, DOCS[0], stated] if not between else [*DOCS, stated, DOCS[0]])


def states(paper: Log, stated_at: int, asked: tuple[int, ...], *, log: str = ORIGIN) -> list[State | None]:
    lawful = Lawful([DELETER.key], Findings())
    lawful.add(ORIGIN, paper.leaves[stated_at], paper.documents[stated_at].value)
    lawful.passed(log, paper.leaves[0])
    return [lawful.state(log, paper.leaves[index]) for index in asked]


def test_a_statement_speaks_for_each_leaf_of_a_record_that_was_sealed_twice() -> None:
    """One document was there; which of its leaves is named says nothing of the others."""
    end = len(DOCS)
    assert states(twice(0), end + 1, (end, 1)) == [State.ERASED, None]
    assert states(twice(end), end + 1, (0, end, 0)) == [None, State.ERASED, State.ERASED]


def test_it_speaks_for_none_that_came_later_or_that_it_does_not_find() -> None:
    """What is sealed behind it may have been stored behind it; a statement of another place names nothing."""
    end = len(DOCS)
    assert states(twice(0, between=1), end, (0, end + 1)) == [State.ERASED, None]
    assert states(twice(1), end + 1, (0, end)) == [None, None]
    assert states(twice(0), end + 1, (0, end), log="tachograph/example/1") == [None, None]


def test_a_statement_by_nobody_is_named_and_one_that_is_gone_says_nothing() -> None:
    """A document that is not its leaf's is named where documents are compared."""
    assert told(made({0: 0}), keys=[]) == ([None] * 3, ["deletion-unauthorised"])
    findings = Findings()
    lawful = Lawful([DELETER.key], findings)
    leaf = Log([*DOCS, made({0: 0})]).leaves[-1]
    lawful.add(ORIGIN, leaf, None)
    lawful.add(ORIGIN, leaf, b"{}")
    assert (lawful.state(ORIGIN, Log(DOCS).leaves[0]), findings.shown) == (None, [])
