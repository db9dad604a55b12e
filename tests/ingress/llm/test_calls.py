"""What a call says is taken from one place only; values of another type are refused, not guessed."""

from __future__ import annotations

from typing import Any

import pytest

from tachograph.ingress.llm.calls import ToolCall, at, joined, known, objects, record, text
from tachograph.ingress.llm.errors import Unreadable


def test_arguments_stand_in_one_place() -> None:
    """Streamed pieces, or the block itself; both is a doubt, which is never released."""
    assert joined(['{"a"', ":1}"], {}) == (b'{"a":1}', None)
    assert joined(["", " "], {"a": 1}) == (b'{"a":1}', None)
    assert joined([], None) == (b"{}", None)
    assert joined(["{}"], {"a": 1})[1] is not None


@pytest.mark.parametrize(
    ("look", "value"),
    [
        (record, {"x": []}),
        (text, {"x": 1}),
        (at, {"x": "1"}),
        (at, {"x": True}),
        (at, {}),
        (lambda value, key: list(objects(value, key)), {"x": [1]}),
        (lambda value, key: known(value, {key}), {"X": 1}),
    ],
)
def test_other_types_are_refused(look: Any, value: Any) -> None:
    """What one client takes for nothing, another may take for something."""
    with pytest.raises(Unreadable):
        look(value, "x")


def test_what_is_not_there_is_empty() -> None:
    """Absent and null are the same."""
    assert (record({"x": None}, "x"), text({}, "x"), list(objects({"x": None}, "x"))) == ({}, "", [])


def test_a_call_does_not_show_its_arguments() -> None:
    """A repr may end in a log."""
    assert "s3cret" not in repr(ToolCall("1", "t", b"s3cret"))
