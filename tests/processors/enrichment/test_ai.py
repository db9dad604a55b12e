"""OCSF's AI objects: model, agent, message context, API."""

from __future__ import annotations

from typing import Any

import pytest

from tachograph.processors.enrichment import ai
from tachograph.processors.enrichment.bounds import CONTEXT_TEXT_BYTES, CUT
from tachograph.processors.enrichment.facts import Facts, RpcFailure, Turn, Usage
from tachograph.schemas.event import Agent, Header, Principal, PrincipalKind, Protocol


def header(records: Any, protocol: Protocol | None = Protocol.LLM, **fields: Any) -> Header:
    found: Header = records.with_header(**fields).request(protocol, "/").header
    return found


def test_the_model_has_a_provider(records: Any) -> None:
    """The dialect's, or the connection where no dialect is known; no model, no object."""
    assert ai.model(Facts(provider="openai", model="gpt-5"), header(records)) == {
        "ai_provider": "openai",
        "name": "gpt-5",
    }
    assert ai.model(Facts(model="x"), header(records)) == {"ai_provider": "target", "name": "x"}
    assert ai.model(Facts(), header(records)) is None


@pytest.mark.parametrize("kind", [PrincipalKind.ANONYMOUS, PrincipalKind.GATEWAY])
def test_nobody_is_no_agent(records: Any, kind: PrincipalKind) -> None:
    """Who was not verified, and the gateway itself, are no AI agents."""
    assert ai.agent(header(records, principal=Principal(id="x", kind=kind))) is None


def test_an_agent_is_named_by_its_principal(records: Any) -> None:
    """What it claims of itself stands beside it; plain HTTP counts only with such a claim."""
    claims = Agent(session="s", id="sub-agent")
    assert ai.agent(header(records, agent=claims)) == {
        "name": "builder",
        "uid": "builder",
        "instance_uid": "sub-agent",
    }
    assert ai.agent(header(records, Protocol.HTTP)) is None
    assert ai.agent(header(records, Protocol.HTTP, agent=Agent(session="s"))) is not None


def test_the_prompt_is_the_new_turn() -> None:
    """Only what came after the assistant's last word."""
    turns = tuple(
        Turn(role, b"", text)
        for role, text in [("user", "a"), ("assistant", "b"), ("tool", "c"), ("user", "d")]
    )
    assert ai.prompt_text(Facts(turns=turns)) == "c\nd"
    assert ai.prompt_text(Facts(turns=turns[:2])) is None


def test_texts_are_bounded() -> None:
    """A long prompt shows that it was cut."""
    found = ai.context_text("x" * 200_000)
    assert found is not None
    assert len(found.encode()) <= CONTEXT_TEXT_BYTES
    assert found.endswith(CUT)
    assert ai.context_text("") is ai.line(None) is None


@pytest.mark.parametrize(
    ("protocol", "facts", "is_response", "role"),
    [
        (Protocol.LLM, Facts(turns=(Turn("user", b"", "x"),)), False, "User"),
        (Protocol.LLM, Facts(turns=(Turn("user", b"", "x"),), tool_results=("t",)), False, "Tool"),
        (Protocol.LLM, Facts(response_text="x"), True, "Assistant"),
        (Protocol.MCP, Facts(tool="read"), False, "Tool"),
    ],
)
def test_who_speaks(records: Any, protocol: Protocol, facts: Facts, is_response: bool, role: str) -> None:
    """The user, a tool's result, or the model."""
    found = ai.message_context(facts, header(records, protocol), is_response=is_response)
    assert found is not None
    assert found["ai_role"] == role


def test_tokens_are_added_up(records: Any) -> None:
    """Prompt tokens include cached ones; counts beyond 31 bits are left out."""
    found = ai.message_context(Facts(usage=Usage(10, 5, 100)), header(records), is_response=True)
    assert found is not None
    assert (found["prompt_tokens"], found["completion_tokens"], found["total_tokens"]) == (110, 5, 115)
    huge = ai.message_context(Facts(usage=Usage(2**40, 5)), header(records), is_response=True)
    assert huge is not None
    assert "prompt_tokens" not in huge
    assert huge["completion_tokens"] == 5


def test_no_conversation_no_context(records: Any) -> None:
    """A call that says nothing has no message context."""
    assert ai.message_context(Facts(), header(records), is_response=False) is None


def test_the_api_tells_operation_and_result(records: Any) -> None:
    """Code, error and message of an answer; the JSON-RPC error's code as text."""
    facts = Facts(rpc_error=RpcFailure(-32602, "bad"), revision="2026-07-28")
    found = ai.api(header(records), "tools/call", code=200, facts=facts)
    assert found["response"] == {"code": 200, "error": "-32602", "error_message": "bad"}
    assert (found["operation"], found["version"], found["service"]) == (
        "tools/call",
        "2026-07-28",
        {"name": "target"},
    )
    assert ai.api(header(records, None), "")["operation"] == "unknown"
