"""Columns that a line names are masked in the rows below it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.delimited import Delimited
from tachograph.processors.masking.fields import DEFAULT_FIELDS, FieldMatcher

HINTS = rb"pass|secret|token|key|pin|credential"
FINDER = Delimited(HINTS, FieldMatcher(DEFAULT_FIELDS).keys.match)


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in FINDER.find(data)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("id,password\n1,a\n2,b\n", ["a", "b"]),
        ('id,notes,secret\n1,"x\ny",z\n', ["z"]),
        ("| user | password |\n|---|---|\n| bob | a |\n", ["a"]),
        ("key,value\npassword,a\ncolour,b\n", ["a"]),
        (" user | password\n------+----------\n bob  | a\n(1 row)\n", ["a"]),
        ("a password, or a token\nis a thing\n", []),
    ],
)
def test_delimited(text: str, values: list[str]) -> None:
    """Quoted cells, ruled lines and labels; no sentences."""
    assert found(text) == values


@given(st.text(alphabet='id,password\n"|\t;1- ', max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """No text raises, and what is found lies in it."""
    data = text.encode()
    assert all(0 <= f.start < f.end <= len(data) for f in FINDER.find(data))
