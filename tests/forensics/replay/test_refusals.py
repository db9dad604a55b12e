"""Refusals in the shape that each protocol's clients read."""

from typing import Any

import orjson
import pytest

from tachograph.forensics.replay.differences import Difference
from tachograph.forensics.replay.refusals import refusal
from tachograph.forensics.replay.tape import Differs, NotOnRecord, Unexpected

LINE = Difference("body.prompt", "twice", "thrice", "charged ", "")


def told(made: Any, verdict: Any, **facts: Any) -> Any:
    asked = '{"jsonrpc":"2.0","id":9,"method":"m"}'
    answer = refusal(made.request(**facts), verdict, asked=asked)
    return answer, orjson.loads(answer.body)


def test_http_gets_problem_details(made: Any) -> None:
    """With every difference (RFC 9457)."""
    closest = made.exchange()
    answer, body = told(made, Differs(made.request(), closest, (LINE,)))
    assert answer.status == body["status"] == 409
    assert dict(answer.headers)["Content-Type"] == "application/problem+json"
    assert body["type"] == "urn:tachograph:problem:request-differs"
    assert body["differences"] == ["body.prompt: charged [-twice-]{+thrice+}"]
    assert closest.id in body["detail"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/v1/messages", "invalid_request_error"), ("/v1/chat/completions", "invalid_request_error")],
)
def test_models_clients_get_their_error_object(made: Any, path: str, kind: str) -> None:
    """And are told not to try again, which they would after a 409."""
    answer, body = told(made, Differs(made.request(), made.exchange(), (LINE,)), protocol="llm", path=path)
    assert body["error"]["type"] == kind
    assert "{+thrice+}" in body["error"]["message"]
    assert dict(answer.headers)["X-Should-Retry"] == "false"


def test_mcp_clients_get_a_json_rpc_error_under_their_id(made: Any) -> None:
    """So that the call that waits for it fails with it."""
    _, body = told(made, Unexpected(made.request(), 2), protocol="mcp")
    assert body["id"] == 9
    assert body["error"]["code"] == -32000
    assert body["error"]["data"]["type"] == "urn:tachograph:problem:request-unexpected"


def test_what_is_not_on_record_is_a_fault_of_the_record(made: Any) -> None:
    """A 5xx that names why, whatever the protocol."""
    for protocol in ("http", "llm", "mcp"):
        answer, _ = told(
            made, NotOnRecord(made.exchange(), "its body is withheld (binary)"), protocol=protocol
        )
        assert answer.status == 502
        assert answer.code == "not-on-record"
        assert b"its body is withheld (binary)" in answer.body


def test_a_call_without_an_id_gets_none(made: Any) -> None:
    """And what is no JSON as well."""
    answer = refusal(made.request(protocol="mcp"), Unexpected(made.request(), 0), asked="[")
    assert orjson.loads(answer.body)["id"] is None
