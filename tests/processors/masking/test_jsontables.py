"""Columns that JSON names are masked in every row, wherever both stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.fields import DEFAULT_FIELDS, FieldMatcher
from tachograph.processors.masking.jsontables import JsonTables

HINTS = rb"pass|secret|token|key|pin|credential"
FINDER = JsonTables(HINTS, FieldMatcher(DEFAULT_FIELDS).keys.match)


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in FINDER.find(data)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"rows":[[1,"x"]],"columns":["id","pin"]}', ["x"]),
        ('{"schema":{"fields":[{"name":"id"},{"name":"pin"}]},"rows":[{"f":[{"v":"1"},{"v":"x"}]}]}', ["x"]),
        ('[["id","pin"],[1,2],[3,"y"]]', ["2", "y"]),
        ('{"required":["user","password"],"x":[["a","b"]]}', []),
        ('[{"columns":["id","pin"],"rows":[[1,"x"]]},{"columns":["pin","id"],"rows":[["y",2]]}]', ["x", "y"]),
        ('[["password","hunter 2"],["user","bob"]]', []),
    ],
)
def test_jsontables(text: str, values: list[str]) -> None:
    """Objects, schemas and first rows; each table by its own columns."""
    assert found(text) == values


@given(st.text(alphabet='[]{},:"pincolumsrw1 ', max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """No text raises, and what is found lies in it."""
    data = text.encode()
    assert all(0 <= f.start < f.end <= len(data) for f in FINDER.find(data))
