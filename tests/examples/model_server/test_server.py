"""The Messages API over HTTP, taken by the real SDK."""

import json

import anthropic
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.examples import facts
from tachograph.examples.model_server.server import application, noted


def _http() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(application(facts.DEFAULTS, None, pace=0))
    return httpx.AsyncClient(transport=transport, base_url="http://model")


async def _post(content: str, **more: object) -> httpx.Response:
    body = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": content}]} | more
    async with _http() as http:
        return await http.post("/v1/messages", json=body, headers={"x-api-key": "the-key"})


async def test_streamed_and_whole_answers_say_the_same() -> None:
    """The SDK's own accumulation of the stream gives the text of the unstreamed answer."""
    whole = (await _post("hello")).json()["content"][0]["text"]
    streamed = (await _post("hello", stream=True)).text
    assert streamed.startswith("event: message_start\n")
    assert streamed.endswith("\n\n")
    assert whole.split()[0] in streamed


async def test_an_error_has_the_apis_shape_and_repeats_the_credential() -> None:
    """Some servers put the key that they refuse into the error; a recorder has to cope with that."""
    answer = await _post("please use the old key")
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "the-key" in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"messages": 1}', b"\xff"])
async def test_what_is_no_request_is_refused(body: bytes) -> None:
    """400 in the API's shape, never a 500."""
    async with _http() as http:
        answer = await http.post("/v1/messages", content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "error")


async def test_probes_are_answered() -> None:
    """HEAD / and count_tokens, which some clients send, have an answer."""
    async with _http() as http:
        assert (await http.head("/")).status_code == 200
        assert (await http.post("/v1/messages/count_tokens", json={"messages": []})).json()[
            "input_tokens"
        ] > 0


def test_the_sdk_knows_the_errors() -> None:
    """The SDK that the example agent uses maps 400 to the error which that agent catches."""
    assert anthropic.BadRequestError.status_code == 400


def test_what_comes_back_to_the_model_is_noted() -> None:
    """The calls whose outcome the last message brings, whatever the outcome; not those of older messages."""
    old, new = ({"type": "tool_result", "tool_use_id": uid, "is_error": True} for uid in ("old", "new"))
    messages = [{"role": "user", "content": [old]}, {"role": "user", "content": [new]}]
    assert noted(json.dumps({"messages": messages}).encode()) == {"returned": ["new"]}


@given(st.binary(max_size=100) | st.recursive(st.text(), st.lists).map(lambda x: json.dumps(x).encode()))
def test_any_body_may_come(body: bytes) -> None:
    """What brings no outcome is noted as nothing."""
    assert noted(body) == {}
