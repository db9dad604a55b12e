"""One event as one line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.story import MAX_TEXT, line, told


def _document(tacho: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"unmapped": {"tacho": tacho}} | more


def test_a_models_answer_shows_stop_reason_tokens_cost_and_calls() -> None:
    """Everything that one asks first about a turn."""
    told = line(
        _document(
            {
                "type": "response",
                "connection": "anthropic",
                "ts": "2026-01-02T03:04:05.678901234Z",
                "stop_reason": "tool_use",
                "usage": {"input_tokens": 10, "output_tokens": 3},
                "cost_usd": 0.00123,
                "tool_calls": [{"id": "toolu_1", "name": "lookup"}],
            },
            http_response={"code": 200},
            ai_model={"name": "claude"},
            api={"operation": "messages"},
            duration=42,
            message_context={"response_text": "I look."},
        )
    )
    assert (told.time, told.arrow, told.connection) == ("03:04:05.678", "←", "anthropic")
    assert told.what == "messages claude"
    assert told.status == "200 tool_use"
    assert told.numbers == "10+3 tokens, $0.0012, 42 ms"
    assert told.text == "calls lookup (toolu_1) | I look."


@pytest.mark.parametrize(
    ("tacho", "more", "what"),
    [
        ({"type": "request", "rpc_method": "tools/call", "tool": "read_file"}, {}, "tools/call read_file"),
        ({"type": "request", "rpc_method": "tools/list"}, {}, "tools/list"),
        ({"type": "session.open"}, {}, "session.open"),
        ({"type": "heartbeat"}, {}, "heartbeat"),
        ({"type": "request"}, {"http_request": {"http_method": "GET", "url": {"path": "/a"}}}, "GET /a"),
        ({"type": "request", "method": "BREW"}, {"http_request": {"url": {"path": "/a"}}}, "BREW /a"),
    ],
)
def test_what_happened_is_named_by_its_protocol(
    tacho: dict[str, Any], more: dict[str, Any], what: str
) -> None:
    """MCP by method and tool, plain HTTP by method and path."""
    assert line(_document(tacho, **more)).what == what


def test_an_error_stands_beside_the_status() -> None:
    """A client that left after 200 is shown as both."""
    told = line(
        _document({"type": "response", "error": {"code": "client-gone"}}, http_response={"code": 200})
    )
    assert told.status == "200 client-gone"


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ({"effect": "allow", "ids": ["read"]}, "allowed by read"),
        ({"effect": "deny", "ids": ["no-admin", "night"]}, "denied by no-admin, night"),
        ({"effect": "deny", "ids": []}, "denied"),
        ({"effect": "approval", "ids": ["rm"]}, "needs approval by rm"),
    ],
)
def test_a_request_shows_what_the_policies_said(policy: dict[str, Any], status: str) -> None:
    """And which of them."""
    assert line(_document({"type": "request", "policy": policy})).status == status


def test_a_plain_http_body_is_shown() -> None:
    """It is all there is to read; the bodies of other protocols are read for what they say."""
    assert line(_document({"type": "request", "protocol": "http", "body": "a=1"})).text == "a=1"
    assert line(_document({"type": "request", "protocol": "mcp", "body": "{}"})).text == ""


def test_a_long_text_is_shortened() -> None:
    """One line stays one line."""
    told = line(_document({"type": "request"}, message_context={"prompt_text": "word\n" * 500}))
    assert len(told.text) == MAX_TEXT
    assert "\n" not in told.text


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.text(max_size=20),
            "ts": st.text(max_size=40),
            "connection": st.none() | st.text(max_size=20),
            "usage": st.none() | st.dictionaries(st.text(max_size=9), st.integers()),
            "withheld": st.none() | st.text(max_size=20),
        },
    )
)
def test_no_document_breaks_the_story(tacho: dict[str, Any]) -> None:
    """What is missing is left out."""
    assert isinstance(line(_document(tacho)).what, str)


@pytest.mark.parametrize(
    ("outcome", "decisions", "text"),
    [
        (
            "approved",
            [
                {
                    "verdict": "approve",
                    "reviewer": "ruth",
                    "at": "2026-01-02T03:04:05.000000000Z",
                    "comment": "go on",
                    "grant_minutes": 30,
                }
            ],
            "bot asked ops; ruth approved for 30 min at 03:04:05: go on",
        ),
        (
            "denied",
            [{"verdict": "deny", "reviewer": "ruth", "at": "2026-01-02T03:04:05.000000000Z"}],
            "bot asked ops; ruth denied at 03:04:05",
        ),
        ("expired", [], "bot asked ops"),
    ],
)
def test_an_approval_names_both_people(outcome: str, decisions: list[dict[str, Any]], text: str) -> None:
    """Who asked, who decided, when, with which comment, and how long the request waited."""
    approval = {"outcome": outcome, "waited_ms": 4210, "needs": [{"group": "ops"}], "decisions": decisions}
    told = line(
        _document(
            {"type": "decision", "principal": {"id": "bot"}, "approval": approval, "decision": "allow"},
            http_request={"http_method": "DELETE", "url": {"path": "/a"}},
        )
    )
    assert (told.arrow, told.what, told.status) == ("?", "DELETE /a", outcome)
    assert (told.numbers, told.text) == ("waited 4.2 s", text)


def test_a_refused_tool_call_names_tool_policy_and_arguments() -> None:
    """What the model wanted, and which policy said no."""
    told = line(
        _document(
            {
                "type": "decision",
                "tool": "rm",
                "decision": "deny",
                "policy": {"ids": ["no-rm"]},
                "arguments_text": '{"path": "/"}',
            }
        )
    )
    assert (told.what, told.status, told.text) == ("tool rm", "deny by no-rm", '{"path": "/"}')


def test_a_decision_names_what_was_decided() -> None:
    """The tool that the request calls, not the path that all MCP calls have; its own where it has one."""
    path = {"http_request": {"http_method": "POST", "url": {"path": "/mcp"}}}
    call = {"type": "request", "exchange": "1", "rpc_method": "tools/call", "tool": "rm"}
    request = _document(call, **path)
    decision = _document({"type": "decision", "exchange": "1"}, **path)
    other = _document({"type": "decision", "exchange": "2"}, **path)
    answer = _document({"type": "decision", "exchange": "1", "tool": "send"}, **path)
    whats = [one.what for one in told([request, decision, other, answer])]
    assert whats == ["tools/call rm", "tools/call rm", "POST /mcp", "tool send"]


def test_an_access_says_who_and_how() -> None:
    """A replay stands in the story of the session that was replayed."""
    access = {"action": "replay", "by": "auditor", "host": "desk-1", "how": "served at :0"}
    told = line(_document({"type": "access", "access": access}, api={"operation": "replay"}))
    assert told.what == "replay"
    assert told.text == "auditor at desk-1: served at :0"
