"""A whole body goes on as it came or rewritten, and not at all where it cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.llm import whole
from tachograph.ingress.llm.anthropic import whole_calls, whole_rewritten
from tachograph.ingress.llm.whole import WholeFilter

BODY = (
    b'{ "content": [{"type": "tool_use", "id": "1", "name": "rm", "input": {}}], "stop_reason": "tool_use" }'
)


@given(cuts=st.lists(st.integers(1, 100)))
def test_it_goes_as_it_came_or_rewritten(kit: Any, cuts: list[int]) -> None:
    """Allowed: the same bytes. Refused: another answer. Cuts do not matter."""
    out, asked = kit.run(WholeFilter(whole_calls, whole_rewritten), BODY, lambda _: None, cuts)
    assert (out, [call.name for call in asked]) == (BODY, ["rm"])
    out, _ = kit.run(WholeFilter(whole_calls, whole_rewritten), BODY, lambda _: "no", cuts)
    assert json.loads(out) == {"content": [{"type": "text", "text": "no"}], "stop_reason": "end_turn"}


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'{"content": 1}', b'{"content": [], "content": []}', b"data: {}"]
)
def test_what_cannot_be_read_does_not_go_on(kit: Any, data: bytes) -> None:
    """The gateway answers in its place."""
    made = WholeFilter(whole_calls, whole_rewritten)
    assert kit.run(made, data, lambda _: None) == (b"", [])
    assert made.broken is not None


def test_it_has_a_bound(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept in memory."""
    monkeypatch.setattr(whole, "MAX_KEPT_BYTES", 50)
    made = WholeFilter(whole_calls, whole_rewritten)
    assert kit.run(made, BODY, lambda _: None) == (b"", [])
    assert made.broken is not None


def test_an_empty_body_is_empty(kit: Any) -> None:
    """Nothing is asked, nothing comes."""
    assert kit.run(WholeFilter(whole_calls, whole_rewritten), b"", lambda _: None) == (b"", [])
