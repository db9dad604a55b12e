"""Tool calls in recorded answers are found with the request that they answer, and with what was decided."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.policy import recorded_tools
from tachograph.cli.policy.recorded import Recorded, read_event
from tachograph.cli.policy.recorded_tools import UNKNOWN, WITHHELD, Answers
from tachograph.ingress.admission import ToolUse
from tachograph.schemas.connection import Connection

CONNECTIONS = {"model": Connection(name="model", protocol="llm", upstream="http://x")}


def event(kind: str, number: int = 1, **tacho: Any) -> dict[str, Any]:
    return {
        "http_request": {"http_method": "POST", "url": {"path": "/v1/messages"}},
        "ai_model": {"name": "claude"},
        "unmapped": {
            "tacho": {
                "type": kind,
                "session": "11111111-1111-4111-8111-111111111111",
                "exchange": f"33333333-3333-4333-8333-{number:012}",
                "ts": "2026-11-23T10:20:30.123456789Z",
                "connection": "model",
                "principal": {"id": "nightly", "kind": "api_key", "issuer": None},
            }
            | tacho
        },
    }


def asked(answers: Answers, number: int = 1, **tacho: Any) -> None:
    found = read_event(event("request", number, **tacho), CONNECTIONS)
    assert isinstance(found, Recorded)
    answers.asked(found)


def told(answers: Answers, *events: dict[str, Any]) -> list[Recorded | str]:
    return [item for one in events for item in answers.told(one)]


def calls(*names: str) -> list[dict[str, str]]:
    return [{"id": f"toolu_{number}", "name": name} for number, name in enumerate(names)]


def test_each_call_has_its_arguments_and_its_decision() -> None:
    """Several of one tool in their order; those that went on are in no decision, and people decide later."""
    answers = Answers()
    asked(answers, policy={"effect": "allow", "groups": ["vip"]}, withheld="too-large")
    decisions = [
        event("decision", tool_use_id="toolu_1", policy={"effect": "approval"}),
        event("decision", tool_use_id="toolu_1", policy={"effect": "approval"}, approval={"id": "x"}),
        event("decision", tool_use_id="toolu_2", policy={"effect": "deny"}),
    ]
    arguments = {"rm": [{"path": "/a"}, {"path": "/b"}], "ls": {}}
    answer = event("response", tool_calls=calls("ls", "rm", "rm"), arguments=arguments)
    found = [one for one in told(answers, *decisions, answer) if isinstance(one, Recorded)]
    assert [one.use for one in found] == [
        ToolUse("ls", b"{}", "claude"),
        ToolUse("rm", b'{"path": "/a"}', "claude"),
        ToolUse("rm", b'{"path": "/b"}', "claude"),
    ]
    assert [one.before for one in found] == ["allow", "approval", "deny"]
    assert [(one.asked.groups, one.asked.body, one.missing) for one in found] == [({"vip"}, None, set())] * 3


def test_what_is_not_whole_is_named() -> None:
    """Arguments that were cut, that do not parse, or that are one too few."""
    answers = Answers()
    for number, more in enumerate(
        ({"arguments": {"ls": {}}, "truncated": ["arguments"]}, {}, {"arguments": {"ls": []}})
    ):
        asked(answers, number)
        (found,) = told(answers, event("response", number, tool_calls=calls("ls"), **more))
        assert isinstance(found, Recorded)
        assert found.missing == {"groups", "arguments"}
        assert found.before == ""


def test_answers_that_cannot_be_judged_are_said(monkeypatch: Any) -> None:
    """No request, one that is too long ago, a withheld answer; an answer without calls says nothing."""
    monkeypatch.setattr(recorded_tools, "MAX_OPEN", 1)
    answers = Answers()
    asked(answers, 1)
    asked(answers, 2)
    answer = event("response", 1, tool_calls=calls("ls"))
    assert told(answers, answer, event("response", 2), event("response", 2, withheld="x")) == [
        UNKNOWN,
        WITHHELD,
    ]
    assert told(answers, event("decision", 3, tool_use_id="x"), {}, {"unmapped": {}}) == []


@given(
    st.recursive(
        st.none() | st.text(max_size=3) | st.integers(),
        lambda i: st.lists(i) | st.dictionaries(st.text(max_size=3), i),
    )
)
def test_any_arguments_are_read_or_missing(value: Any) -> None:
    """Whatever stands in the document."""
    answers = Answers()
    asked(answers)
    for found in told(answers, event("response", tool_calls=calls("ls"), arguments={"ls": value})):
        assert isinstance(found, Recorded)
        assert found.use is not None
