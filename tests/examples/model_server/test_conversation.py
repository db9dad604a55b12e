"""What the model says: the same for the same history, turn by turn."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.examples import facts
from tachograph.examples.model_server.conversation import Answer, Refuse, answer, pieces, script

TOOLS = [{"name": f"mcp__desk__{name}"} for name in ("lookup_customer", "lookup_order", "read_file")]


def _ask(*messages: tuple[str, str], retry: int = 0) -> Answer | Refuse:
    request: dict[str, Any] = {
        "model": "m",
        "tools": TOOLS,
        "messages": [{"role": role, "content": content} for role, content in messages],
    }
    return answer(request, facts.DEFAULTS, retry=retry)


def test_the_first_turn_asks_for_two_tools_at_once() -> None:
    """Two `tool_use` blocks stand in one message, under the names that the client offered."""
    said = _ask(("user", "It was charged twice."))
    assert isinstance(said, Answer)
    calls = [block for block in said.content if block["type"] == "tool_use"]
    assert [block["name"] for block in calls] == ["mcp__desk__lookup_customer", "mcp__desk__lookup_order"]
    assert said.stop_reason == "tool_use"
    assert len({block["id"] for block in calls}) == 2


def test_the_same_history_gets_the_same_answer() -> None:
    """Nothing but the request decides, ids included."""
    assert _ask(("user", "charged twice")) == _ask(("user", "charged twice"))


def test_another_history_gets_other_ids() -> None:
    """Two conversations with the same words before never share a tool call's id."""
    first, second = _ask(("user", "charged twice")), _ask(("user", "charged twice again"))
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert first.content[1]["id"] != second.content[1]["id"]


def test_a_conversation_ends() -> None:
    """The last turn asks for nothing more."""
    said = _ask(("user", "charged twice"), *(("assistant", "x"), ("user", "y")) * 3)
    assert isinstance(said, Answer)
    assert said.stop_reason == "end_turn"


def test_a_tool_that_is_not_offered_is_not_asked_for() -> None:
    """The model keeps to the tools of the request."""
    said = answer(
        {"messages": [{"role": "user", "content": "restart the queue"}]}, {**facts.DEFAULTS}, retry=0
    )
    assert isinstance(said, Answer)
    assert [block["type"] for block in said.content] == ["text"]


@pytest.mark.parametrize(("retry", "kind"), [(0, Refuse), (1, Answer), (5, Answer)])
def test_an_overload_is_over_at_the_next_try(retry: int, kind: type) -> None:
    """529 once, then an answer: what the SDK's own retry is made for."""
    assert isinstance(_ask(("user", "are you there?"), retry=retry), kind)


def test_a_refusal_stays_one_when_there_is_nothing_after_it() -> None:
    """A 400 is a 400 at each attempt."""
    said = _ask(("user", "use the old key"), retry=7)
    assert isinstance(said, Refuse)
    assert said.status == 400


@given(st.text(max_size=200))
def test_pieces_put_together_are_the_text(text: str) -> None:
    """Streaming neither loses nor adds a character."""
    assert "".join(pieces(text)) == text


def test_every_scenario_can_be_reached_by_its_phrase() -> None:
    """No phrase is part of another one."""
    phrases = list(script(facts.DEFAULTS))
    assert not [(one, two) for one in phrases for two in phrases if one != two and one in two]
