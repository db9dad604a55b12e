"""Literals that SQL names are masked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.fields import DEFAULT_FIELDS, FieldMatcher
from tachograph.processors.masking.statements import Statements

HINTS = rb"pass|secret|token|key|pin|credential"
FINDER = Statements(HINTS, FieldMatcher(DEFAULT_FIELDS).keys.match)


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in FINDER.find(data)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("INSERT INTO t (id, password) VALUES (1, 'a''b'), (2, 'c')", ["a''b", "c"]),
        ("INSERT INTO t (id,password) SELECT 1, 'a'", ["a"]),
        ("UPDATE t SET secret = crypt('a', gen())", ["a"]),
        ("SELECT 1 FROM t WHERE pin IN (12, 34)", ["12", "34"]),
        ("COPY t (id, password) FROM stdin;\n1\ta\n\\.\n", ["a"]),
        ("SELECT token_count FROM t WHERE id = 5 AND c > '2026'", []),
        ('CREATE USER u IDENTIFIED BY "a"', ["a"]),
    ],
)
def test_statements(text: str, values: list[str]) -> None:
    """Lists, comparisons, options; nothing of other columns."""
    assert found(text) == values


@given(st.text(alphabet="INSERT into(password)VALUES'\"$,=1", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """No text raises, and what is found lies in it."""
    data = text.encode()
    assert all(0 <= f.start < f.end <= len(data) for f in FINDER.find(data))
