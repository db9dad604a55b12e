"""The OCSF frame: class, activity, who, chain, profiles."""

from __future__ import annotations

from typing import Any

import pytest

from tachograph.processors.enrichment import ocsf as frames
from tachograph.schemas import ocsf as words
from tachograph.schemas.event import (
    GENESIS,
    Header,
    Principal,
    PrincipalKind,
    Protocol,
    Trace,
    event_uid,
    header_hash,
)


@pytest.mark.parametrize(
    ("protocol", "method", "rpc_method", "expected"),
    [
        (Protocol.HTTP, "POST", None, (4002, 6)),
        (Protocol.HTTP, "BREW", None, (4002, 99)),
        (Protocol.HTTP, None, None, (4002, 0)),
        (None, "GET", None, (4002, 3)),
        (Protocol.LLM, "POST", None, (6003, 1)),
        (Protocol.LLM, "GET", None, (6003, 2)),
        (Protocol.LLM, "DELETE", None, (6003, 4)),
        (Protocol.LLM, "PATCH", None, (6003, 3)),
        (Protocol.LLM, "BREW", None, (6003, 99)),
        (Protocol.MCP, "POST", "tools/call", (6003, 99)),
        (Protocol.MCP, "POST", "tools/list", (6003, 2)),
        (Protocol.MCP, "POST", "resources/read", (6003, 2)),
        (Protocol.MCP, "POST", "ping", (6003, 2)),
        (Protocol.MCP, "POST", None, (6003, 1)),
        (Protocol.MCP, None, None, (6003, 0)),
    ],
)
def test_class_and_activity(
    protocol: Protocol | None, method: str | None, rpc_method: str | None, expected: tuple[int, int]
) -> None:
    """LLM and MCP are API activity, everything else is HTTP activity."""
    assert frames.classify(protocol, method, rpc_method) == expected


def test_a_frame_agrees_with_itself() -> None:
    """Numbers and names of category, class, activity and type follow from each other."""
    found = frames.frame(6003, 1, time=5, message="m")
    assert found["type_uid"] == 600301
    assert found["type_name"] == "API Activity: Create"
    assert (found["category_uid"], found["category_name"]) == (6, "Application Activity")


def test_every_number_has_its_name() -> None:
    """Both halves come from one table."""
    assert frames.named("status", 2, words.STATUSES) == {"status_id": 2, "status": "Failure"}
    assert frames.state(status=1, severity=3)["severity"] == "Medium"


def header(records: Any, **fields: Any) -> Header:
    found: Header = records.with_header(**fields).request(Protocol.HTTP, "/").header
    return found


@pytest.mark.parametrize(
    ("kind", "type_name"),
    [("api_key", "Service"), ("gateway", "System"), ("oidc", "Unknown"), ("anonymous", "Unknown")],
)
def test_the_actor_is_who_was_verified(records: Any, kind: str, type_name: str) -> None:
    """A key is a service, the gateway a system; of a token's subject we do not know which it is."""
    principal = Principal(id="ada", kind=PrincipalKind(kind), issuer="https://login.example.com")
    found = frames.actor(header(records, principal=principal))
    assert (found["user"]["uid"], found["user"]["type"]) == ("ada", type_name)
    assert found["idp"]["issuer"] == found["session"]["issuer"] == "https://login.example.com"


def test_the_attestation_is_the_capture_chain(records: Any) -> None:
    """The fingerprint is the header's own hash, the previous event is the strand's record before."""
    one = header(records)
    own = header_hash(one.canonical())
    (found,) = frames.attestation(one, own)
    assert found["fingerprint"]["value"] == own
    assert found["prev_event"]["uid"] == str(event_uid(one.session, one.epoch, one.seq - 1))
    assert found["prev_event"]["fingerprint"]["value"] == one.prev
    (first,) = frames.attestation(header(records, seq=0, prev=GENESIS), own)
    assert "prev_event" not in first


def test_the_trace_is_the_client_s(records: Any) -> None:
    """The trace id of its `traceparent`, if it sent one."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert frames.trace(header(records, trace=Trace(traceparent=parent))) == {"uid": parent[3:35]}
    assert frames.trace(header(records)) is None


def test_profiles_are_named_by_what_is_there() -> None:
    """Exactly those whose attributes the event carries."""
    assert frames.profiles({}) == []
    assert frames.profiles({"actor": 1, "trace": 1, "action_id": 1}) == ["host", "security_control", "trace"]


def test_a_sequence_beyond_ocsf_is_left_out(records: Any) -> None:
    """`metadata.sequence` has 31 bits; the header's own has 53 and stands under `unmapped`."""
    assert frames.metadata("u", header(records))["sequence"] == 7
    assert "sequence" not in frames.metadata("u", header(records, seq=2**40))
