"""Each kind of record becomes the event that an analyst expects."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import orjson
import pytest

from tachograph.processors.enrichment.conversation import chain
from tachograph.processors.enrichment.events import bare_event, message_event, part_event, wire_event
from tachograph.processors.enrichment.facts import Facts, RpcFailure, Turn
from tachograph.processors.enrichment.reading import read
from tachograph.schemas.event import Protocol
from tachograph.schemas.masked import masked_event_adapter
from tachograph.schemas.payload import (
    DecisionMeta,
    ExchangeError,
    PolicyDecision,
    RequestLine,
    SessionCloseMeta,
    SessionOpenMeta,
)


def event(record: Any, facts: Facts | None = None) -> dict[str, Any]:
    return wire_event(record, read(record) if facts is None else facts, ())


def test_a_request_has_no_outcome_yet(records: Any) -> None:
    """Its status is unknown until a response says otherwise; its line is the message."""
    found = event(records.request(Protocol.HTTP, "/things?x=1", method="GET"))
    assert (found["status"], found["class_name"], found["activity_name"]) == (
        "Unknown",
        "HTTP Activity",
        "Get",
    )
    assert found["message"] == "GET /things"
    assert found["src_endpoint"]["ip"] == "192.0.2.7"
    assert "api" not in found


def test_an_answer_says_where_the_question_came_from(records: Any) -> None:
    """Who and from where on the response too; only who, where the record is from before that was noted."""
    answer = records.response(Protocol.HTTP, "/things")
    noted = replace(answer, meta=answer.meta.model_copy(update={"client": "192.0.2.7:51234"}))
    assert event(noted)["src_endpoint"] == {"name": "builder", "ip": "192.0.2.7", "port": 51234}
    assert event(answer)["src_endpoint"] == {"name": "builder"}


@pytest.mark.parametrize(
    ("fields", "facts", "expected"),
    [
        ({}, Facts(), ("Success", "Informational", None)),
        ({}, Facts(stop_reason="end_turn"), ("Success", "Informational", "end_turn")),
        ({"status": 404}, Facts(), ("Failure", "Low", None)),
        ({"status": 529}, Facts(error_type="overloaded_error"), ("Failure", "Low", "overloaded_error")),
        ({}, Facts(error_type="overloaded_error"), ("Failure", "Low", "overloaded_error")),
        ({}, Facts(is_error=True), ("Failure", "Low", None)),
        ({}, Facts(rpc_error=RpcFailure(1, "x")), ("Failure", "Low", None)),
        ({"complete": False}, Facts(), ("Failure", "Low", None)),
        (
            {"status": 0, "error": ExchangeError(code="upstream-refused")},
            Facts(),
            ("Failure", "Low", "upstream-refused"),
        ),
        (
            {"status": 401, "error": ExchangeError(code="unauthenticated")},
            Facts(),
            ("Failure", "Medium", "unauthenticated"),
        ),
    ],
)
def test_how_an_exchange_ended(
    records: Any, fields: dict[str, Any], facts: Facts, expected: tuple[str, str, str | None]
) -> None:
    """Status, severity and detail from HTTP, from the API's own error, and from the wire."""
    found = event(records.response(Protocol.LLM, "/v1/messages", **fields), facts)
    assert (found["status"], found["severity"], found.get("status_detail")) == expected


@pytest.mark.parametrize(
    "code", ["unauthenticated", "forbidden", "policy-denied", "approval-denied", "approval-timeout"]
)
def test_a_refusal_is_a_denial(records: Any, code: Any) -> None:
    """What the gateway did not let through is told as a security control."""
    found = event(
        records.response(Protocol.MCP, "/mcp", status=401, origin="gateway", error=ExchangeError(code=code))
    )
    assert (found["action"], found["disposition"]) == ("Denied", "Blocked")
    assert "security_control" in found["metadata"]["profiles"]


def test_an_overload_is_no_denial(records: Any) -> None:
    """A full spool refuses everybody alike."""
    full = ExchangeError(code="recorder-full")
    found = event(records.response(Protocol.LLM, "/v1/messages", status=503, origin="gateway", error=full))
    assert "action" not in found


@pytest.mark.parametrize(
    ("decision", "action", "status"), [("allow", "Allowed", "Success"), ("deny", "Denied", "Failure")]
)
def test_a_decision(records: Any, decision: Any, action: str, status: str) -> None:
    """A verdict names what it was about, and how it went."""
    meta = DecisionMeta(
        decision=decision, reason="rule 7", line=RequestLine(method="DELETE", target="/x", upstream="")
    )
    found = event(records.record(meta, Protocol.HTTP, None))
    assert (found["action"], found["status"], found["message"]) == (
        action,
        status,
        f"{decision} DELETE /x: rule 7",
    )


@pytest.mark.parametrize(
    ("effect", "policies", "control", "named"),
    [
        ("allow", ("read",), ("Allowed", "Allowed"), "read"),
        ("deny", ("no-admin", "night"), ("Denied", "Blocked"), "no-admin"),
        ("deny", (), ("Denied", "Blocked"), None),
        ("approval", ("rm",), (None, None), "rm"),
    ],
)
def test_a_judged_request(
    records: Any, effect: Any, policies: tuple[str, ...], control: Any, named: str | None
) -> None:
    """OCSF's policy object names the first policy; all of them stand among our own facts."""
    record = records.request(Protocol.HTTP, "/things", method="GET")
    decision = PolicyDecision(
        effect=effect,
        policies=policies,
        reason="because",
        digest="a" * 64,
        inputs="",
        micros=7,
        groups=("agents",),
    )
    found = event(replace(record, meta=record.meta.model_copy(update={"decision": decision})))
    assert (found.get("action"), found.get("disposition")) == control
    assert found.get("policy", {}).get("uid") == named
    assert found["unmapped"]["tacho"]["policy"] == {
        "effect": effect,
        "ids": list(policies),
        "reason": "because",
        "digest": "a" * 64,
        "micros": 7,
        "groups": ["agents"],
    }
    masked_event_adapter.validate_json(orjson.dumps(found))


def test_times_of_an_exchange(records: Any) -> None:
    """Start, end and duration in milliseconds by the gateway's clock."""
    found = event(records.response(Protocol.HTTP, "/"))
    assert found["duration"] == found["end_time"] - found["start_time"] == 1500


def test_a_session_starts_and_stops(records: Any) -> None:
    """Application lifecycle, with the recorder's version where it opened."""
    opened = event(
        records.record(SessionOpenMeta(version="0.1.0", config_digest="x", basis="trace"), None, None)
    )
    closed = event(records.record(SessionCloseMeta(records=3, reason="idle"), None, None))
    assert (opened["type_name"], closed["type_name"]) == (
        "Application Lifecycle: Start",
        "Application Lifecycle: Stop",
    )
    assert opened["app"]["version"] == "0.1.0"
    assert closed["unmapped"]["tacho"]["records"] == 3


def test_a_tool_call_reads_as_one_line(records: Any) -> None:
    """Method, path, JSON-RPC method and tool stand in the message."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_file"}}
    found = event(records.request(Protocol.MCP, "/mcp", call))
    assert found["message"] == "POST /mcp tools/call read_file"
    assert found["api"]["operation"] == "tools/call"


def test_an_unreadable_record_keeps_its_header(records: Any) -> None:
    """Who, when, which session and the chain are told even if nothing else can be."""
    header = records.request(Protocol.LLM, "/").header
    found = bare_event(header, "why")
    assert found["unmapped"]["tacho"]["enrichment_error"] == "why"
    assert found["attestation_list"][0]["uid"] == str(header.uid)


def test_parts_and_messages(records: Any) -> None:
    """Both say whose they are; a message has the role of who spoke."""
    header = records.request(Protocol.LLM, "/").header
    part = part_event(header, uuid.UUID(int=1), 5, place=(1, 2), body="b")
    assert part["unmapped"]["tacho"]["part"] == {"of": str(header.uid), "index": 1, "count": 2}
    links = chain(
        [Turn("user", b"{}", "hi"), Turn("assistant", b"{}", "yes"), Turn("system", b"{}", "")], "x"
    )
    found = [message_event(header, link, uuid.UUID(int=2), 5, body="{}") for link in links]
    contexts = [item["message_context"] for item in found]
    assert [item["ai_role"] for item in contexts] == ["User", "Assistant", "Other"]
    assert (contexts[0]["prompt_text"], contexts[1]["response_text"]) == ("hi", "yes")
    assert "prompt_text" not in contexts[2]
