"""Refusals have the shape that each protocol's clients read."""

from __future__ import annotations

import json
import uuid
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress import errors
from tachograph.ingress.errors import PolicyDenied
from tachograph.ingress.refusals import _NEXT, MAX_RPC_BYTES, refuse, rpc_id, sentence
from tachograph.schemas.event import Protocol
from tachograph.schemas.payload import ErrorCode

EXCHANGE = uuid.UUID(int=7)


def test_every_code_has_advice() -> None:
    """No error leaves the agent without a next step."""
    assert set(_NEXT) == set(get_args(ErrorCode))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.BadRequest("x"), "invalid_request_error"),
        (errors.Unauthenticated("x"), "authentication_error"),
        (errors.Forbidden("x"), "permission_error"),
        (errors.RecorderFull("x"), "overloaded_error"),
        (errors.KeysAway("x"), "overloaded_error"),
        (errors.UpstreamTimeout("x"), "timeout_error"),
        (errors.UpstreamReset("x"), "api_error"),
    ],
)
def test_anthropic(error: errors.IngressError, kind: str) -> None:
    """The Messages API's error object, with the type its SDKs map to exceptions."""
    answer = refuse(error, protocol=Protocol.LLM, target="/v1/messages?beta=true", exchange=EXCHANGE)
    value = json.loads(answer.body)
    assert (value["type"], value["error"]["type"], value["request_id"]) == ("error", kind, str(EXCHANGE))
    assert value["error"]["message"].startswith("Tachograph gateway: x. ")
    assert answer.status == error.status


def test_openai() -> None:
    """The OpenAI error object: message, type, param, code."""
    answer = refuse(errors.Unauthenticated("x"), protocol=Protocol.LLM, target="/v1/chat/completions")
    error = json.loads(answer.body)["error"]
    assert (error["type"], error["param"], error["code"]) == (
        "invalid_request_error",
        None,
        "unauthenticated",
    )
    assert ("WWW-Authenticate", 'Bearer realm="tachograph"') in answer.headers


@pytest.mark.parametrize(
    ("target", "anthropic"),
    [
        ("/v1/messages", True),
        ("/V1//Messages/", True),
        ("/v1/messages;a=b?x", True),
        ("/v1/%6Dessages", True),
        ("/v1%2Fmessages", True),
        ("/v1/./messages/", True),
        ("/anthropic/v1/messages/count_tokens", True),
        ("/v1/messages/batches/b1/results", True),
        ("/messages", True),
        ("/v1/chat/completions?next=/v1/messages", False),
        ("/v1/chat/completions#/v1/messages", False),
        ("/v1/messages-of-mine/chat/completions", False),
        ("/v1/threads/t1/messages", False),
        ("/v1/responses", False),
        ("", False),
        ("/%zz", False),
    ],
)
def test_the_api_that_is_meant_chooses_the_shape(target: str, *, anthropic: bool) -> None:
    """By its path, in whatever spelling, and by nothing else in the target."""
    value = json.loads(refuse(errors.Forbidden("x"), protocol=Protocol.LLM, target=target).body)
    assert (value.get("type") == "error") is anthropic


@given(st.text(st.characters(max_codepoint=0xFF)), st.sampled_from(list(Protocol)))
def test_any_target_gets_an_answer(target: str, protocol: Protocol) -> None:
    """Of its protocol."""
    assert json.loads(refuse(errors.Forbidden("x"), protocol=protocol, target=target).body)


def test_json_rpc() -> None:
    """A JSON-RPC 2.0 error with the request's id, or null."""
    value = json.loads(refuse(errors.Forbidden("x"), protocol=Protocol.MCP, exchange=EXCHANGE, rpc="a").body)
    assert (value["jsonrpc"], value["id"], value["error"]["code"]) == ("2.0", "a", -32000)
    assert value["error"]["data"]["exchange"] == str(EXCHANGE)
    assert json.loads(refuse(errors.Forbidden("x"), protocol=Protocol.MCP).body)["id"] is None


@pytest.mark.parametrize("protocol", [None, *Protocol])
@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_in_every_shape(name: str, protocol: Protocol | None) -> None:
    """Content-Length is right, the exchange is named, and 503 says when to come back."""
    error = getattr(errors, name)("what came")
    answer = refuse(error, protocol=protocol, exchange=EXCHANGE)
    fields = dict(answer.headers)
    assert int(fields["Content-Length"]) == len(answer.body)
    assert fields["X-Tacho-Exchange"] == str(EXCHANGE)
    assert ("Retry-After" in fields) == (answer.status == 503)
    assert b"what came" in answer.body


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"jsonrpc":"2.0","id":1}', 1),
        (b'{"id":"a"}', "a"),
        (b'{"id":null}', None),
        (b'{"id":true}', None),
        (b'{"id":[1]}', None),
        (b'[{"id":1}]', None),
        (b"", None),
        (b"{", None),
        (b'{"id":1,"x":"' + b"a" * MAX_RPC_BYTES + b'"}', None),
    ],
)
def test_rpc_id(body: bytes, found: str | int | None) -> None:
    """Only a single request's own id is repeated."""
    assert rpc_id(body) == found


def test_every_call_of_a_batch_is_answered() -> None:
    """Its client waits for each of them; notifications and answers wait for nothing (JSON-RPC 2.0, 6)."""
    calls = [{"id": 1, "method": "a"}, {"method": "b"}, {"id": "x", "method": "c"}, {"id": 9, "result": 1}, 7]
    found = rpc_id(json.dumps(calls).encode())
    assert found == (1, "x")
    value = json.loads(
        refuse(errors.Forbidden("no"), protocol=Protocol.MCP, exchange=EXCHANGE, rpc=found).body
    )
    assert [each["id"] for each in value] == [1, "x"]
    assert all(each["error"]["data"]["code"] == "forbidden" for each in value)


@pytest.mark.parametrize("batch", [[], [{"method": "b"}], [{"id": 1, "method": "a"}] * 65])
def test_a_batch_without_anybody_to_answer_gets_one_error(batch: list[object]) -> None:
    """Nothing in it that waits, or more than may be in one."""
    assert rpc_id(json.dumps(batch).encode()) is None


@given(st.binary())
def test_rpc_id_takes_anything(body: bytes) -> None:
    """No body makes it raise."""
    rpc_id(body)


def test_a_sentence_says_what_to_do_next() -> None:
    """The text that takes a refused tool call's place reads like every other refusal."""
    told = sentence(PolicyDenied("denied by the policy `no-rm`", policies=("no-rm",), ask="the owners"))
    assert told.startswith("Tachograph gateway: denied by the policy `no-rm`. ")
    assert "ask the owners" in told


def test_an_operator_learns_which_part_is_away() -> None:
    """Both are 503 and on no record but the answer; the advice tells the key provider from the spool."""
    keys, spool = (
        refuse(error, protocol=Protocol.HTTP, target="/").body.decode()
        for error in (errors.KeysAway("x"), errors.RecorderFull("x"))
    )
    assert "what wraps the data keys" in keys
    assert "Kafka and the spool" in spool
