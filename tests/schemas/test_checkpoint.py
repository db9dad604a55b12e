"""A checkpoint has one form: what is written is read back, anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.checkpoint import MAX_SIZE, Checkpoint
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.merkle import EMPTY_ROOT

ROOT = bytes(range(32))
GOOD = Checkpoint("tachograph.a1/0", 7, ROOT, time="2026-01-02T03:04:05Z", offset=9)


def test_its_lines_are_those_of_the_specification() -> None:
    """Origin, size and root first, then what we add."""
    root = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert GOOD.text() == f"tachograph.a1/0\n7\n{root}\ntime 2026-01-02T03:04:05Z\noffset 9\n"


@given(
    size=st.integers(1, MAX_SIZE),
    root=st.binary(min_size=32, max_size=32),
    offset=st.none() | st.integers(0, MAX_SIZE),
    time=st.none() | st.just("2026-01-02T03:04:05.000000001Z"),
    further=st.lists(st.from_regex(r"[a-su-z]{1,5} [!-~]{1,20}", fullmatch=True), max_size=4)
    .map(tuple)
    .filter(lambda lines: not any(line.startswith(("offset ", "time ")) for line in lines)),
)
def test_what_is_written_is_read_back(
    size: int, root: bytes, offset: int | None, time: str | None, further: tuple[str, ...]
) -> None:
    """Any checkpoint, with lines of a later release too."""
    written = Checkpoint("log", size, root, time=time, offset=offset, further=further)
    assert Checkpoint.parse(written.text()) == written


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ("tachograph.a1/0\n", "\n"),
        ("tachograph.a1/0", "a b"),
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n-7\n"),
        ("\n7\n", "\n9223372036854775808\n"),
        ("\n7\n", "\n7 \n"),
        ("\n7\n", "\n\u0667\n"),
        ("\n7\n", "\n0\n"),
        ("AAEC", "!AEC"),
        ("Hh8=", "Hh9="),
        ("AAEC", ""),
        ("Z\n", "+00:00\n"),
        ("05Z", "0\u0665Z"),
        ("time ", "offset 1\ntime "),
        ("offset 9", "offset 9\noffset 10"),
        ("offset 9", "offset x"),
        ("offset 9\n", "offset 9"),
        ("offset 9\n", "\noffset 9\n"),
        ("offset 9\n", "x\n" * 20),
    ],
)
def test_any_other_form_is_refused(change: str, to: str) -> None:
    """Leading zeros, spare bits of base64, other digits, lines twice, out of order, empty or too many."""
    text = GOOD.text()
    assert change in text
    with pytest.raises(MalformedRecord):
        Checkpoint.parse(text.replace(change, to, 1))


def test_an_empty_log_has_the_empty_root() -> None:
    """A log of no leaves is said with the root of no leaves."""
    assert Checkpoint.parse(Checkpoint("log", 0, EMPTY_ROOT).text()).size == 0
