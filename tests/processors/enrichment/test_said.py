"""What the body said, in the fields that analysts search."""

from __future__ import annotations

from datetime import date

from tachograph.processors.enrichment.bounds import ARGUMENTS_BYTES, CUT, MAX_IDS
from tachograph.processors.enrichment.conversation import Place
from tachograph.processors.enrichment.facts import Facts, RpcFailure, ToolUse, Turn, Usage
from tachograph.processors.enrichment.said import facts_block, place_block, tools_block, turn_block

DAY = date(2026, 11, 23)


def test_nothing_said_is_nothing() -> None:
    """No facts, no fields."""
    assert facts_block(Facts(), DAY) == {}
    assert place_block(None) == {}
    assert tools_block(()) == {}


def test_tokens_and_cost() -> None:
    """Counts by kind, and the cost of a model whose price is known."""
    found = facts_block(Facts(model="claude-haiku-4-5", usage=Usage(1000, 200, 3000, 400)), DAY)
    assert found["usage"] == {
        "input_tokens": 1000,
        "output_tokens": 200,
        "cache_read_tokens": 3000,
        "cache_write_tokens": 400,
    }
    assert found["cost_usd"] == 0.0028
    assert found["price_from"] == "2026-01-01"


def test_an_unknown_model_has_no_cost() -> None:
    """Tokens are told, money is not guessed."""
    found = facts_block(Facts(model="my-own", usage=Usage(1, 2)), DAY)
    assert "usage" in found
    assert "cost_usd" not in found


def test_counted_tokens_cost_nothing() -> None:
    """A count without an answer was not billed."""
    assert "cost_usd" not in facts_block(Facts(model="claude-haiku-4-5", usage=Usage(input=5)), DAY)


def test_calls_of_one_tool_share_its_name() -> None:
    """One call is an object, two of the same tool are a list; unparsed ones are text only."""
    calls = (
        ToolUse("1", "ls", '{"p":1}', {"p": 1}),
        ToolUse("2", "cat", '{"f":1}', {"f": 1}),
        ToolUse("3", "cat", '{"f":2}', {"f": 2}),
        ToolUse("4", "rm", '{"f', None),
    )
    found = tools_block(calls)
    assert found["tool_calls"][3] == {"id": "4", "name": "rm"}
    assert found["arguments"] == {"ls": {"p": 1}, "cat": [{"f": 1}, {"f": 2}]}
    assert found["arguments_text"].splitlines()[3] == 'rm {"f'


def test_lists_are_bounded() -> None:
    """Thousands of calls and results keep the document small."""
    calls = tuple(ToolUse(f"{index}", "n", "x" * 1000, None) for index in range(5000))
    found = facts_block(Facts(tool_calls=calls, tool_results=tuple(map(str, range(5000)))), DAY)
    assert len(found["tool_calls"]) == len(found["tool_results"]) == MAX_IDS
    assert len(found["arguments_text"]) <= ARGUMENTS_BYTES
    assert found["arguments_text"].endswith(CUT)


def test_mcp_arguments_stand_as_they_are() -> None:
    """One tool call's arguments need no tool's name above them."""
    found = facts_block(Facts(tool="read", tool_use_id="t", arguments={"path": "/a"}), DAY)
    assert found["arguments"] == {"path": "/a"}
    assert found["arguments_text"] == '{"path":"/a"}'
    assert (found["tool"], found["tool_use_id"]) == ("read", "t")


def test_cut_arguments_say_so() -> None:
    """The object names itself as cut; arguments that are no object are text only."""
    assert facts_block(Facts(arguments={"a": "x" * 10_000}), DAY)["truncated"] == ["arguments"]
    assert facts_block(Facts(arguments=[1, 2]), DAY) == {"arguments_text": "[1,2]"}


def test_rpc_outcomes() -> None:
    """Errors with and without a code, failed tools, batches."""
    found = facts_block(Facts(rpc_error=RpcFailure(None, ""), is_error=True, rpc_count=3, rpc_id="1"), DAY)
    assert found == {"rpc_error": {"message": ""}, "is_error": True, "rpc_count": 3, "rpc_id": "1"}


def test_a_place_in_a_conversation() -> None:
    """The first request has no head before it."""
    found = place_block(Place(head="a" * 64, previous=None, count=1, new=1))
    assert found == {"conversation": {"head": "a" * 64, "count": 1, "messages_new": 1}}


def test_a_message_tells_its_tools() -> None:
    """Calls and results of one message alone."""
    turn = Turn("user", b"{}", "", (ToolUse("c", "n", "", None),), ("r",))
    found = turn_block(turn)
    assert (found["tool_calls"], found["tool_results"]) == ([{"id": "c", "name": "n"}], ["r"])
