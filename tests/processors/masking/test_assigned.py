"""What is assigned to a secret name is taken to its end, in any notation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.assigned import Assigned
from tachograph.processors.masking.fields import DEFAULT_FIELDS, FieldMatcher

HINTS = rb"pass|secret|token|key|pin|credential"
FINDER = Assigned(HINTS, FieldMatcher(DEFAULT_FIELDS).keys.match)


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in FINDER.find(data)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("secret: |\n  one\n\n  two\nother: x\n", ["one\n\n  two"]),
        ("export SECRET='a b'\n", ["a b"]),
        ("token = get_token()\n", []),
        ("token: str\n", []),
        ('password: "a\n  b"\n', ["a\n  b"]),
        ("run TOKEN=plum x\n", ["plum"]),
        ("credentials:\n  user: u\n  - k: v\n", ["u", "v"]),
        ("passwords: ['a', 'b1']\n", ["a", "b1"]),
    ],
)
def test_assigned(text: str, values: list[str]) -> None:
    """Blocks, quotes, lists and words; no code, no types."""
    assert found(text) == values


@given(st.text(alphabet="pasword:= |\n\"'[]{}-#x1", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """No text raises, and what is found lies in it."""
    data = text.encode()
    assert all(0 <= f.start < f.end <= len(data) for f in FINDER.find(data))
