"""The stream of one answer, as the Messages API's streaming guide has it."""

import json

from tachograph.examples.model_server import sse
from tachograph.examples.model_server.conversation import Answer

ANSWER = Answer(
    id="msg_1",
    model="m",
    content=(
        {"type": "text", "text": "a text of more than nine characters"},
        {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"key": "a value"}},
    ),
    stop_reason="tool_use",
    input_tokens=10,
    output_tokens=20,
)


def _decoded() -> list[dict[str, object]]:
    return [json.loads(event.decode().split("data: ")[1]) for event in sse.events(ANSWER)]


def test_the_events_come_in_order() -> None:
    """Start, blocks with a ping after the first, delta, stop."""
    kinds = [event["type"] for event in _decoded()]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 2
    assert kinds[kinds.index("content_block_stop") + 1] == "ping"


def test_the_pieces_put_together_are_the_answer() -> None:
    """Text deltas give the text, JSON deltas give the tool's input."""
    deltas = [event["delta"] for event in _decoded() if event["type"] == "content_block_delta"]
    text = "".join(str(delta["text"]) for delta in deltas if isinstance(delta, dict) and "text" in delta)
    partial = [
        str(delta["partial_json"]) for delta in deltas if isinstance(delta, dict) and "partial_json" in delta
    ]
    assert text == ANSWER.content[0]["text"]
    assert len(partial) > 1
    assert json.loads("".join(partial)) == ANSWER.content[1]["input"]


def test_the_whole_message_says_the_same() -> None:
    """A request without `stream` gets blocks, stop reason and usage in one object."""
    whole = sse.message(ANSWER)
    assert whole["content"] == list(ANSWER.content)
    assert whole["stop_reason"] == "tool_use"
    assert whole["usage"]["output_tokens"] == 20
