"""Streamed text, put together by an independent reader."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.demo.streams import joined_deltas
from tachograph.examples.model_server import sse
from tachograph.examples.model_server.conversation import Answer


@given(
    st.text(min_size=1, max_size=200), st.dictionaries(st.text(max_size=5), st.text(max_size=20), min_size=1)
)
def test_text_and_tool_input_come_together_again(text: str, value: dict[str, str]) -> None:
    """However a server cuts them."""
    blocks = (
        {"type": "text", "text": text},
        {"type": "tool_use", "id": "i", "name": "n", "input": value},
    )
    answer = Answer("m", "model", blocks, "tool_use", 1, 1)
    body = b"".join(sse.events(answer)).decode()
    assert list(joined_deltas(body)) == [text, json.dumps(value)]


@given(st.text(max_size=300))
def test_any_other_body_has_no_deltas(body: str) -> None:
    """It is searched as it is."""
    assert list(joined_deltas(body)) == []
