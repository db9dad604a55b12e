"""A statement has one form, which names each record as its leaf does."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.deletion import MAX_NAMES, MAX_STATED, Statement, stated, statement_text
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.leaf import Leaf
from tachograph.schemas.topics import MAX_RECORD_BYTES

DAY = "2026.01.02"
SAID = {
    "v": 1,
    "type": "erasure",
    "at": "2026-01-02T03:04:05Z",
    "by": "officer",
    "rule": "tacho erase",
    "reason": None,
    "session": str(uuid.UUID(int=2)),
    "log": "tachograph/example/0",
    "records": [[3, DAY, "request", str(uuid.UUID(int=1))]],
}
LEAF = Leaf(
    index=3,
    offset=9,
    leaf="ab" * 32,
    type="request",
    uid=uuid.UUID(int=1),
    session=uuid.UUID(int=2),
    day=DAY,
)


@given(
    indices=st.sets(st.integers(0, 2**53 - 1), min_size=1, max_size=9),
    by=st.text(min_size=1, max_size=50),
    kind=st.sampled_from(["erasure", "retention.expired"]),
)
def test_what_is_written_is_read_back(indices: set[int], by: str, kind: str) -> None:
    """Any statement, and its document's uid follows from it."""
    records = [[index, DAY, "part", str(uuid.UUID(int=index))] for index in sorted(indices)]
    found = Statement.parse(SAID | {"records": records, "by": by, "type": kind})
    assert Statement.parse(found.said()) == found
    assert Statement.parse(found.said()).uid == found.uid


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": 1.0},
        {"type": "deleted"},
        {"at": "yesterday"},
        {"at": "\uff12026-01-02T03:04:05Z"},
        {"records": [[3, "2026.01.0\uff12", "request", str(uuid.UUID(int=1))]]},
        {"records": [[3, DAY, "erasure", str(uuid.UUID(int=1))]]},
        {"by": ""},
        {"session": SAID["session"].upper().replace("0", "A")},
        {"log": "with space"},
        {"records": []},
        {"records": [SAID["records"][0], SAID["records"][0]]},
        {"records": [[3.0, *SAID["records"][0][1:]]]},
        {"records": [[3, DAY, "request"]]},
        {"names": ["no uuid"]},
        {"names": None},
        {"further": 1},
    ],
)
def test_any_other_form_is_refused(change: dict[str, object]) -> None:
    """Another version, order or type, and what is too many or too few."""
    with pytest.raises(MalformedRecord):
        Statement.parse(SAID | change)


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, {1: 2}])
def test_what_is_no_object_is_refused(value: object) -> None:
    """A document may hold anything in its place."""
    with pytest.raises(MalformedRecord):
        Statement.parse(value)


def test_a_leaf_is_named_word_for_word() -> None:
    """Index, day, type and uid; one that lacks any, or is a statement itself, cannot be named."""
    assert stated(LEAF) in Statement.parse(SAID).records
    for change in ({"uid": None}, {"day": None}, {"session": None}, {"type": "erasure"}):
        assert stated(LEAF.model_copy(update=change)) is None


def test_one_without_names_keeps_its_form() -> None:
    """Statements from before there were any are read, signed and named as they were."""
    assert "names" not in Statement.parse(SAID).said()
    assert Statement.parse(SAID | {"names": []}).said()["names"] == []
    assert Statement.parse(SAID | {"names": []}).uid != Statement.parse(SAID).uid


def test_the_largest_fits_into_a_message() -> None:
    """With room for the document around it."""
    records = [[2**53 - 1 - n, DAY, "t" * 64, str(uuid.UUID(int=n))] for n in range(MAX_STATED)][::-1]
    names = [str(uuid.UUID(int=n)) for n in range(MAX_NAMES)]
    most = Statement.parse(
        SAID | {"records": records, "names": names, "by": "b" * 1000, "reason": "\x01" * 1000}
    )
    assert len(most.canonical()) < MAX_RECORD_BYTES // 2
    with pytest.raises(MalformedRecord):
        Statement.parse(SAID | {"records": [[0, *records[0][1:]], *records]})


def test_the_note_is_over_its_hash() -> None:
    """One line that says what is signed, and one with the SHA-256."""
    assert statement_text(b"") == (
        "tachograph/deletion/v1\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
    )
