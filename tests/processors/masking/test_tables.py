"""A secret column is secret in every row, in SQL and in the JSON of database tools."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.fields import DEFAULT_FIELDS, FieldMatcher
from tachograph.processors.masking.tables import find

SECRET = FieldMatcher(DEFAULT_FIELDS).keys.match


def found(text: str) -> list[str]:
    return [text.encode()[f.start : f.end].decode() for f in find(text.encode(), SECRET)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "INSERT INTO users (id, password, pin) VALUES (1, 'it''s', 12), (2, 'two', 34);",
            ["it''s", "12", "two", "34"],
        ),
        ('insert into "u" ("id","api_key") values (nextval(\'s\', 3), E\'k\')', ["k"]),
        ("UPDATE users SET ssn = '219-09-9998', name = 'Bo' WHERE id = 7", ["219-09-9998"]),
        ("SELECT 1 FROM t WHERE u.pin=1234 AND t.n = 5", ["1234"]),
        ("SELECT token_count FROM usage WHERE org_id = 959 AND created_at > '2026-01-09'", []),
        (
            '{"columns":["id","password","ts"],"rows":[[1,"x","t"],[2,{"a":"y"},"t"],[3,7,"t"]]}',
            ["x", "y", "7"],
        ),
        ('{"columns":["id","body"],"rows":[[1,"x"]]}', []),
        ("WHERE password = '****'", []),
    ],
)
def test_values_of_secret_columns(text: str, values: list[str]) -> None:
    """Every row, quoted and bare, nested or not; nothing of other columns."""
    assert found(text) == values


@given(st.lists(st.tuples(st.integers(), st.text(min_size=3)), min_size=1, max_size=8))
def test_no_cell_content_shifts_the_columns(rows: list[tuple[int, str]]) -> None:
    """Brackets, commas and quotes inside a value are the value's."""
    text = orjson.dumps(
        {"columns": ["id", "secret"], "rows": [(n % 99, "Q" + value) for n, value in rows]}
    ).decode()
    assert [orjson.loads(f'"{cell}"') for cell in found(text)] == ["Q" + value for _, value in rows]


@given(st.text(alphabet="INSERT into(),'\"=[]{}:columns rows 12 password", max_size=120))
def test_any_text_is_read(text: str) -> None:
    """Broken SQL and broken JSON end, and every place lies in the text."""
    assert all(0 <= f.start < f.end <= len(text) for f in find(text.encode(), SECRET))
