"""The last word about a partition counts; what cannot be read changes nothing."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.stops import Acknowledgement, Stop, key_of, parse_stop, standing

AT = "2026-11-23T10:00:00Z"


def stop(partition: int, *, by: str | None = None) -> Stop:
    return Stop(
        finding=uuid.UUID(int=1),
        partition=partition,
        session=uuid.UUID(int=2),
        leaks=3,
        places=("header",),
        raised=AT,
        acknowledged=Acknowledgement(by=by, at=AT) if by else None,
    )


@given(st.integers(0, 1023), st.one_of(st.none(), st.text(min_size=1, max_size=20)))
def test_a_stop_reads_as_it_was_written(partition: int, by: str | None) -> None:
    """Both ways."""
    assert parse_stop(stop(partition, by=by).encode()) == stop(partition, by=by)


@given(st.binary())
def test_anything_else_is_malformed(value: bytes) -> None:
    """And its text is not in the error."""
    with pytest.raises(MalformedRecord, match="stop"):
        parse_stop(value)


def test_a_time_has_ascii_digits() -> None:
    """Other scripts' digits are no time."""
    value = stop(1).encode()
    with pytest.raises(MalformedRecord, match="stop"):
        parse_stop(value.replace(b"2026", "\uff12026".encode()))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans())))
def test_the_last_word_counts(words: list[tuple[int, bool]]) -> None:
    """A partition stands while its last word is not acknowledged."""
    said = [(key_of(number), stop(number, by="joe" if ok else None).encode()) for number, ok in words]
    last = dict(words)
    assert standing(said).keys() == {number for number, ok in last.items() if not ok}


def test_noise_lifts_nothing_and_a_tombstone_lifts() -> None:
    """A broken value must not set a leaking partition free."""
    raised = (key_of(1), stop(1).encode())
    assert standing([raised, (key_of(1), b"{}"), (None, b"x"), (None, None), (b"x", None)]).keys() == {1}
    assert standing([raised, (key_of(1), None)]) == {}
