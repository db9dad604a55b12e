"""A tool call is released, replaced or held inside its answer; the record has what the target sent."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tachograph.ingress import screen
from tachograph.ingress.admission import Asked, Decision, Effect
from tachograph.ingress.approval.digests import Digests
from tachograph.ingress.approval.errors import ApprovalsAway
from tachograph.ingress.errors import ApprovalDenied, ClientGone, IngressError
from tachograph.ingress.llm.anthropic import PING
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.schemas.connection import Connection
from tachograph.schemas.keys import KeyEncryptionKey

POLICIES = """
@id("talk") permit(principal, action == Action::"llm.message", resource);
@id("web") permit(principal, action == Action::"http.request", resource);
@id("tools") permit(principal, action == Action::"llm.tool_use", resource) when { context.tool == "ls" };
@id("rm") @approval("ops") @reason("Deleting is final")
permit(principal, action == Action::"llm.tool_use", resource) when { context.tool == "rm" };
"""
SECONDS = 30.0


def event(value: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), json.dumps(value).encode())


def call(index: int, name: str, arguments: str = '{"path": "/x"}') -> bytes:
    start = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    delta = {"type": "input_json_delta", "partial_json": arguments}
    return (
        event({"type": "content_block_start", "index": index, "content_block": start})
        + event({"type": "content_block_delta", "index": index, "delta": delta})
        + event({"type": "content_block_stop", "index": index})
    )


START = event({"type": "message_start", "message": {"id": "m", "model": "m-1", "content": []}})
END = event({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}) + event({"type": "message_stop"})
HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
)
REQUEST = (
    "POST /c/llm/v1/messages HTTP/1.1\r\nHost: g\r\nX-Tacho-Key: good\r\nAccept-Encoding: gzip\r\n"
    "Content-Length: 2\r\n\r\n{}"
)


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Holds:
    """A holder that waits for its test, and then grants or raises."""

    def __init__(self, error: IngressError | None = None) -> None:
        self.error = error
        self.asked: list[Asked] = []
        self.uids: list[Any] = []
        self.entered = threading.Event()
        self.decided = threading.Event()

    async def hold(
        self, asked: Asked, decision: Decision, record: Any, *, alive: Any, gone: Callable[[], bool]
    ) -> None:
        assert decision.effect is Effect.APPROVAL
        self.asked.append(asked)
        self.uids.append(record.request_uid)
        alive()
        self.entered.set()
        while not self.decided.is_set():
            if gone():
                raise ClientGone("left")
            await asyncio.sleep(0.01)
        if self.error is not None:
            raise self.error


@pytest.fixture
def world(make_world: Any) -> Callable[..., Any]:
    def make(holder: Holds | None = None, policies: str = POLICIES) -> Any:
        def judge(upstream: str) -> CedarJudge:
            connections = [Connection(name="llm", protocol="llm", upstream=upstream)]
            return CedarJudge(read_policies([PolicyFile("t.cedar", policies)]), connections)

        return make_world(judge=judge, holder=holder)

    return make


def begin(world: Any, *pieces: bytes) -> tuple[Any, Any]:
    """A request whose answer has begun with these pieces; the agent and the target."""
    agent = world.ask(REQUEST)
    target = world.upstream.accept()
    assert target.head().get("accept-encoding") == "identity"
    assert target.read(2) == b"{}"
    target.send(HEAD.encode() + b"".join(chunked(piece) for piece in pieces))
    return agent, target


def test_what_is_allowed_comes_as_it_came(world: Any) -> None:
    """Byte for byte, and nothing is written about it beyond the answer itself."""
    made = world()
    data = START + call(0, "ls") + END
    agent, target = begin(made, data[:200], data[200:])
    target.send("0\r\n\r\n")
    head, body = agent.response()
    assert (head.status, body) == (200, data)
    (record,) = made.recorder.ended()
    assert (bytes(record.body), record.tools, record.complete) == (data, [], True)


def test_what_is_denied_is_replaced_and_recorded(world: Any) -> None:
    """The agent reads why and whom to ask; the record has the target's bytes and what took their place.

    The decision is counted as one on a tool call.
    """
    made, counted = world(), []
    made.gateway.plane.relay._on_decided = lambda _, on, effect: counted.append((on, effect.value))
    data = START + call(0, "format") + END
    agent, target = begin(made, data)
    target.send("0\r\n\r\n")
    _, body = agent.response()
    assert b"The call of the tool `format` was not passed on" in body
    assert b"no policy permits this llm.tool_use here" in body
    assert b'"end_turn"' in body
    assert b'"tool_use"' not in body
    (record,) = made.recorder.ended()
    assert bytes(record.body) == data
    ((told,),) = [record.tools]
    assert (told["decision"], told["tool"].name, told["tool"].id) == ("deny", "format", "toolu_0")
    assert told["tool"].arguments == '{"path": "/x"}'
    assert json.dumps(told["tool"].replacement).encode()[1:-1] in body
    assert ("tool_use", "deny") in counted


def test_a_held_call_waits_in_the_stream_and_is_released(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came before is out, pings keep the client, what comes behind waits in order, then all is there."""
    monkeypatch.setattr(screen, "KEEPALIVE_SECONDS", 0.05)
    holder = Holds()
    made = world(holder)
    agent, target = begin(made, START + call(0, "rm"))
    agent.head()
    before = b""
    while PING not in before:
        before += agent.read(int(agent.read_until(b"\r\n"), 16) + 2)[:-2]
    assert before.replace(PING, b"") == START
    target.send(chunked(call(1, "ls") + END) + b"0\r\n\r\n")
    holder.decided.set()
    assert (before + agent.chunked()).replace(PING, b"") == START + call(0, "rm") + call(1, "ls") + END
    (record,) = made.recorder.ended()
    assert bytes(record.body) == START + call(0, "rm") + call(1, "ls") + END
    assert [told["decision"] for told in record.tools] == ["hold"]
    assert holder.uids[0] is not None


def test_a_denied_call_is_told_to_the_agent(world: Any) -> None:
    """In the reviewer's words; the calls that are left go on."""
    holder = Holds(ApprovalDenied("denied by ruth: use staging"))
    holder.decided.set()
    made = world(holder)
    agent, target = begin(made, START + call(0, "rm") + call(1, "ls") + END)
    target.send("0\r\n\r\n")
    _, body = agent.response()
    assert b"denied by ruth: use staging" in body
    assert call(1, "ls") + END in body
    (record,) = made.recorder.ended()
    assert [told["decision"] for told in record.tools] == ["hold", "deny"]


def test_a_client_that_leaves_gets_nothing(world: Any) -> None:
    """The call is not released, and the record says who left."""
    holder = Holds()
    made = world(holder)
    agent, _ = begin(made, START + call(0, "rm"))
    assert holder.entered.wait(SECONDS)
    agent.close()
    (record,) = made.recorder.ended()
    assert (record.error.code, record.complete) == ("client-gone", False)


def test_a_tool_call_is_not_for_a_key_that_was_revoked_meanwhile(world: Any) -> None:
    """People said yes to somebody who is nobody by now."""
    holder = Holds()
    holder.decided.set()
    made = world(holder)
    agent = made.ask(REQUEST.replace("good", "fleeting"))
    target = made.upstream.accept()
    target.head()
    target.read(2)
    target.send(HEAD.encode() + chunked(START + call(0, "rm") + END) + b"0\r\n\r\n")
    _, body = agent.response()
    assert b"revoked" in body
    assert b"toolu_0" not in body


def test_approvals_that_are_away_end_the_stream_in_its_protocol(world: Any) -> None:
    """The client reads that it may try again, not that the answer was no."""
    holder = Holds(ApprovalsAway("the approvals topic did not answer in time"))
    holder.decided.set()
    made = world(holder)
    agent, _ = begin(made, START + call(0, "rm") + END)
    _, body = agent.response()
    assert body.startswith(START + b"event: error")
    assert b"overloaded_error" in body
    assert b"toolu_0" not in body
    (record,) = made.recorder.ended()
    assert (record.error.code, record.complete) == ("approval-unavailable", False)


def test_a_stream_that_cannot_be_read_ends(world: Any) -> None:
    """With an error of the protocol; nothing of it follows."""
    made = world()
    agent, _ = begin(made, START, b"data: {tool_use\n\n", call(0, "ls"))
    _, body = agent.response()
    assert body.startswith(START + b"event: error")
    assert b"toolu_0" not in body
    (record,) = made.recorder.ended()
    assert record.error.code == "upstream-garbage"


@pytest.mark.parametrize("coded", ["Content-Encoding: gzip\r\n", "Content-Type: application/x-ndjson\r\n"])
def test_what_nobody_can_read_is_not_passed_on(world: Any, coded: str) -> None:
    """A target that compresses although it was asked not to, or answers in another form."""
    made = world()
    kind = "" if "Type" in coded else "Content-Type: application/json\r\n"
    _, head, body = made.exchange(REQUEST, f"HTTP/1.1 200 OK\r\n{kind}{coded}Content-Length: 2\r\n\r\n{{}}")
    assert (head.status, json.loads(body)["type"]) == (502, "error")
    assert made.recorder.ended()[0].origin == "gateway"


def whole(*names: str) -> str:
    blocks = [{"type": "tool_use", "id": name, "name": name, "input": {}} for name in names]
    body = json.dumps({"type": "message", "content": blocks, "stop_reason": "tool_use"})
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}"


def test_a_whole_answer_is_judged_alike(world: Any) -> None:
    """As it came where all is allowed; else rewritten, with a length of its own."""
    made = world()
    _, head, body = made.exchange(REQUEST, whole("ls"))
    assert (head.status, body) == (200, whole("ls").partition("\r\n\r\n")[2].encode())
    _, head, body = made.exchange(REQUEST, whole("ls", "format"))
    assert [block["type"] for block in json.loads(body)["content"]] == ["tool_use", "text"]
    assert b"format" in bytes(made.recorder.ended(2)[1].body)


def test_a_whole_answer_that_cannot_be_read_is_refused(world: Any) -> None:
    """The record keeps what the target sent, the agent gets an error in its place."""
    made = world()
    answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{tool_use"
    _, head, body = made.exchange(REQUEST, answer)
    assert (head.status, json.loads(body)["type"]) == (502, "error")
    (record,) = made.recorder.ended()
    assert (bytes(record.body), record.status, record.error.code) == (b"{tool_use", 200, "upstream-garbage")


def test_without_a_policy_that_names_them_nothing_is_looked_at(world: Any) -> None:
    """What cannot be read goes through as ever, and the agent's coding is asked for."""
    made = world(policies='@id("all") permit(principal, action, resource);')
    seen, head, body = made.exchange(
        REQUEST, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{tool_use"
    )
    assert b"Accept-Encoding: gzip" in seen
    assert (head.status, body) == (200, b"{tool_use")


def test_a_retry_has_the_same_digest(world: Any) -> None:
    """Another id and another order of the arguments; another tool or other arguments have another."""
    holder = Holds()
    holder.decided.set()
    made = world(holder)
    for index, name, arguments in (
        (0, "rm", '{"a":1,"b":2}'),
        (0, "rm", '{"b": 2, "a": 1}'),
        (0, "rm", "{}"),
    ):
        agent, target = begin(made, START + call(index, name, arguments) + END)
        target.send("0\r\n\r\n")
        agent.response()
    digests = Digests(KeyEncryptionKey(b"k" * 32))
    first, again, other = (digests.request(asked) for asked in holder.asked)
    assert first == again != other
    assert len({digests.scope(asked) for asked in holder.asked}) == 1


def test_what_is_too_long_to_be_shown_is_not_asked_about(world: Any) -> None:
    """Nobody approves what they cannot see."""
    holder = Holds()
    made = world(holder)
    arguments = json.dumps({"path": "x" * screen.MAX_SHOWN_ARGUMENTS})
    agent, target = begin(made, START + call(0, "rm", arguments) + END)
    target.send("0\r\n\r\n")
    assert b"people are asked about arguments of at most" in agent.response()[1]
    assert not holder.asked


OPENAI = {
    "/v1/chat/completions": [
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "tool_calls": [
                            {"index": 0, "id": "c", "function": {"name": "NAME", "arguments": "{}"}}
                        ]
                    },
                }
            ]
        },
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    ],
    "/v1/responses": [
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "function_call", "id": "f", "call_id": "c", "name": "NAME", "arguments": "{}"},
        }
    ],
}


@pytest.mark.parametrize("path", OPENAI)
def test_openai_streams_are_judged_alike(world: Any, path: str) -> None:
    """By the path that was asked: an allowed call as it came, a denied one as text."""
    made = world()
    for name, passes in (("ls", True), ("format", False)):
        data = b"".join(b"data: %b\n\n" % json.dumps(item).encode() for item in OPENAI[path])
        data = data.replace(b"NAME", name.encode())
        _, head, body = made.exchange(
            REQUEST.replace("/v1/messages", path), HEAD.encode() + chunked(data) + b"0\r\n\r\n"
        )
        assert head.status == 200
        assert (body == data) is passes
        assert (b"`format` was not passed on" in body) is not passes


def test_a_whole_answer_that_breaks_off_is_incomplete(world: Any) -> None:
    """What came of it is on record as a part, and the agent gets an error in its place."""
    made = world()
    agent = made.ask(REQUEST)
    target = made.upstream.accept()
    target.head()
    target.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
    target.close()
    head, body = agent.response()
    assert (head.status, json.loads(body)["type"]) == (502, "error")
    (record,) = made.recorder.ended()
    assert (bytes(record.body), record.complete, record.error.code) == (b"{", False, "upstream-reset")
