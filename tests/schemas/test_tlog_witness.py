"""What a log asks of a witness is read as it is written; anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.tlog_witness import AddCheckpoint, parse_size

HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=64).map(tuple)


@given(old=st.integers(0, 2**63 - 1), proof=HASHES)
def test_what_is_written_is_read_back(old: int, proof: tuple[bytes, ...]) -> None:
    """Any size and any proof."""
    asked = AddCheckpoint(old, proof, "text\n\n\u2014 name AAAA\n")
    assert AddCheckpoint.parse(asked.text()) == asked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old 0\n",
        "old 0\n\n",
        "old 00\n\nnote\n",
        "old -1\n\nnote\n",
        "old 9223372036854775808\n\nnote\n",
        "old \u0661\n\nnote\n",
        "new 0\n\nnote\n",
        "old 1\nAAAA\n\nnote\n",
        "old 1\n" + "A" * 43 + "B=\n\nnote\n",
        "old 1\n" + ("A" * 43 + "=\n") * 65 + "\nnote\n",
        "old 1\n\n" + "x" * (64 << 10),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """Cut off, other numbers, short or ambiguous hashes, too many, too long."""
    with pytest.raises(MalformedRecord):
        AddCheckpoint.parse(text)


def test_a_size_is_a_number_and_a_newline() -> None:
    """As the protocol says it; nothing else is taken for one."""
    assert parse_size("50\n") == 50
    for text in ("50", "050\n", "", "\n", "5 0\n", "-1\n"):
        with pytest.raises(MalformedRecord):
            parse_size(text)
