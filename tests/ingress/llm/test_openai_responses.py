"""A call of the Responses API is the same in pieces, as an item and in the whole answer, or it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.llm.openai_responses import Responses, whole_calls, whole_rewritten
from tachograph.ingress.llm.stream import StreamFilter

ARGUMENTS = '{"path": "/"}'
MESSAGE = {"type": "message", "id": "msg_0", "role": "assistant", "content": [], "status": "completed"}


def call(index: int, name: str, arguments: str = ARGUMENTS, **more: Any) -> dict[str, Any]:
    item = {"type": "function_call", "id": f"fc_{index}", "call_id": f"call_{index}", "name": name}
    return item | {"arguments": arguments, "status": "completed"} | more


def streamed(index: int, item: dict[str, Any], pieces: str = ARGUMENTS) -> list[dict[str, Any]]:
    inside = {"item_id": item["id"], "output_index": index}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": item | {"arguments": ""}},
        {"type": "response.function_call_arguments.delta", **inside, "delta": pieces[:4]},
        {"type": "response.function_call_arguments.delta", **inside, "delta": pieces[4:]},
        {"type": "response.function_call_arguments.done", **inside, "arguments": pieces},
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def answer(*inside: dict[str, Any], output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    events = [
        {"type": "response.created", "response": {"id": "r", "model": "m-1", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": MESSAGE},
        {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE},
        *inside,
        {"type": "response.completed", "response": {"id": "r", "model": "m-1", "output": output}},
    ]
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


@pytest.fixture(scope="session")
def two(kit: Any) -> bytes:
    """Two calls whose items overlap."""
    rm, ls = call(1, "rm"), call(2, "ls", "{}")
    first, second = streamed(1, rm), streamed(2, ls, "{}")
    inside = [*first[:2], *second[:2], *first[2:], *second[2:]]
    return kit.named(*answer(*inside, output=[MESSAGE, rm, ls]))


@given(cuts=st.lists(st.integers(1, 2500)))
def test_what_is_allowed_comes_as_it_came(kit: Any, two: bytes, cuts: list[int]) -> None:
    """Byte for byte; the last event, which repeats both calls, asks for nothing again."""
    out, asked = kit.run(StreamFilter(Responses()), two, lambda _: None, cuts)
    assert out == two
    assert [(item.name, item.arguments, item.model) for item in asked] == [
        ("rm", ARGUMENTS.encode(), "m-1"),
        ("ls", b"{}", "m-1"),
    ]


@given(cuts=st.lists(st.integers(1, 2500)))
def test_a_refused_call_becomes_a_message(kit: Any, two: bytes, cuts: list[int]) -> None:
    """In its place, in the stream and in the whole answer; numbers never fall."""
    refuse = lambda item: "no" if item.name == "rm" else None  # noqa: E731 - a verdict
    out, _ = kit.run(StreamFilter(Responses()), two, refuse, cuts)
    told = kit.values(out)
    done = [v["item"] for v in told if v["type"] == "response.output_item.done"]
    assert [item["type"] for item in done] == ["message", "message", "function_call"]
    assert done[1]["content"][0]["text"] == "no"
    assert told[-1]["response"]["output"] == done
    assert b"rm" not in out


def test_a_call_that_stands_only_in_the_whole_answer_is_judged(kit: Any) -> None:
    """A client that reads the last event only must not get what nobody judged."""
    data = kit.named(*answer(output=[call(1, "rm")]))
    out, asked = kit.run(StreamFilter(Responses()), data, lambda _: "no")
    assert len(asked) == 1
    assert kit.values(out)[-1]["response"]["output"][0]["type"] == "message"


def test_a_call_told_otherwise_in_the_whole_answer_is_judged_again(kit: Any) -> None:
    """What was allowed are these arguments, not the call's id."""
    data = kit.named(*answer(*streamed(1, call(1, "rm")), output=[call(1, "rm", '{"path": "/etc"}')]))
    _, asked = kit.run(StreamFilter(Responses()), data, lambda _: None)
    assert [json.loads(item.arguments)["path"] for item in asked] == ["/", "/etc"]


def test_pieces_that_differ_from_the_item_are_in_doubt(kit: Any) -> None:
    """Some clients join the pieces, some read the item."""
    data = kit.named(*answer(*streamed(1, call(1, "rm"), '{"path": "/etc"}'), output=[]))
    _, asked = kit.run(StreamFilter(Responses()), data, lambda _: "no")
    assert asked[0].problem is not None


def test_tools_without_a_name_are_named_by_their_type(kit: Any) -> None:
    """A shell's action is what is judged."""
    shell = {"type": "local_shell_call", "id": "x", "call_id": "y", "action": {"command": ["ls"]}}
    custom = {"type": "custom_tool_call", "id": "x", "call_id": "y", "name": "sh", "input": "ls"}
    approval = {"type": "mcp_approval_request", "id": "x", "name": "t", "arguments": "{}"}
    found = whole_calls({"output": [shell, custom, approval]})
    assert [(item.name, json.loads(item.arguments)) for item in found] == [
        ("local_shell", {"action": {"command": ["ls"]}}),
        ("sh", {"input": "ls"}),
        ("t", {}),
    ]


BAD: list[list[dict[str, Any]]] = [
    streamed(1, call(1, "x"))[:3],
    [streamed(1, call(1, "x"))[1]],
    [streamed(1, call(1, "x"))[0]] * 2,
    [*streamed(1, call(1, "x"))[:1], *streamed(2, call(2, "x"))[:1], *[streamed(1, call(1, "x"))[4]] * 2],
    [streamed(1, call(1, "x"))[0], {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE}],
    [{"type": "response.output_item.added", "output_index": "1", "item": call(1, "x")}],
    [{"Type": "response.output_item.added"}],
]


@pytest.mark.parametrize("bad", BAD)
def test_what_may_hide_a_call_ends_the_stream(kit: Any, bad: list[dict[str, Any]]) -> None:
    """The client gets an error of its protocol, and no call."""
    data = kit.nameless(*answer(output=[])[:3], *bad, answer(output=[MESSAGE])[-1])
    out, asked = kit.run(StreamFilter(Responses()), data, lambda _: None)
    assert kit.values(out)[-1]["type"] == "error"
    assert b"fc_1" not in out
    assert not asked


def test_a_whole_response_is_rewritten_alike() -> None:
    """A message in the same place."""
    changed = whole_rewritten({"output": [call(0, "rm"), call(1, "ls")]}, {0: "no"})["output"]
    assert [item["type"] for item in changed] == ["message", "function_call"]
    assert changed[0]["content"][0]["text"] == "no"
