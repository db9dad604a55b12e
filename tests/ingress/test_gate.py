"""What is judged is on record with its decision before it goes on, and refused in its protocol's shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tachograph.ingress import request_way
from tachograph.ingress.admission import MAX_JUDGED_BODY, Asked, Decision, Effect
from tachograph.ingress.errors import ApprovalDenied, BadRequest, JudgementFull
from tachograph.ingress.gate import Waiting, check_length
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.schemas.connection import Connection

POLICIES = """
@id("read") permit(principal, action == Action::"http.request", resource)
when { context.method == "GET" || context.method == "PUT" };
@id("no-admin") @reason("Administration is for people")
forbid(principal, action == Action::"http.request", resource) when { context.path_folded like "*/admin*" };
@id("delete") @approval("ops") @reason("Deleting is final")
permit(principal, action == Action::"http.request", resource) when { context.method == "DELETE" };
@id("small-models") permit(principal, action == Action::"llm.message", resource)
when { context has model && context.model == "small" };
@id("ls") permit(principal, action == Action::"mcp.call", resource) when { context.tool == "ls" };
@id("rm") @approval("ops")
permit(principal, action == Action::"mcp.call", resource) when { context.tool == "rm" };
"""
OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
KEY = "X-Tacho-Key: good\r\n"


class Holds:
    """A holder that a test steers: grants, after it has let the client hear from us, or refuses."""

    def __init__(self, *, grant: bool = True) -> None:
        self.grant = grant
        self.asked: list[Asked] = []
        self.recorded: list[bool] = []

    async def hold(
        self,
        asked: Asked,
        decision: Decision,
        record: Any,
        *,
        alive: Callable[[], None],
        gone: Callable[[], bool],
    ) -> None:
        assert decision.effect is Effect.APPROVAL
        assert not gone()
        self.asked.append(asked)
        self.recorded.append(record.request_end is True)
        alive()
        if not self.grant:
            raise ApprovalDenied("a reviewer said no: not today")


@pytest.fixture
def judged(make_world: Any) -> Callable[..., Any]:
    """A world whose gateway has the policies above."""

    def make(**extra: Any) -> Any:
        names = ("up", "http"), ("llm", "llm"), ("mcp", "mcp")
        policies = read_policies([PolicyFile("test.cedar", POLICIES)])

        def judge(upstream: str) -> CedarJudge:
            connections = [
                Connection(name=name, protocol=kind, upstream=upstream + ("/base" if kind == "mcp" else ""))
                for name, kind in names
            ]
            return CedarJudge(policies, connections)

        return make_world(judge=judge, **extra)

    return make


def post(path: str, body: str | bytes, *fields: str) -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    head = "\r\n".join((f"POST {path} HTTP/1.1", "Host: g", *fields, f"Content-Length: {len(raw)}"))
    return f"{head}\r\n{KEY}\r\n".encode() + raw


def rpc(tool: str, **arguments: Any) -> str:
    params = {"name": tool, "arguments": arguments}
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})


# -- allowed ---------------------------------------------------------------------------------------


def test_what_is_permitted_goes_on(judged: Any) -> None:
    """Decided from the head alone; the decision is in the request's record, with its cost."""
    world = judged()
    _, head, body = world.exchange(f"GET /c/up/v1 HTTP/1.1\r\nHost: g\r\n{KEY}\r\n", OK)
    assert (head.status, body) == (200, b"ok")
    (record,) = world.recorder.ended()
    assert record.decision.effect == "allow"
    assert record.decision.policies == ("read",)
    assert record.decision.micros >= 0


def test_each_decision_is_counted(judged: Any) -> None:
    """With the connection, what it is on, and the effect."""
    counted: list[tuple[str, str, str]] = []
    world = judged()
    world.gateway.plane.relay._on_decided = lambda to, on, effect: counted.append((to.name, on, effect.value))
    world.exchange(f"GET /c/up/v1 HTTP/1.1\r\nHost: g\r\n{KEY}\r\n", OK)
    assert world.ask(post("/c/mcp", rpc("dd"))).response()[0].status == 403
    assert counted == [("up", "request", "allow"), ("mcp", "request", "deny")]


def test_a_body_that_nobody_judges_streams(judged: Any) -> None:
    """Where the head decides, the body is not held: 100 Continue comes at once, and any length goes."""
    world = judged()
    size = MAX_JUDGED_BODY + 1
    agent = world.ask(
        f"PUT /c/up/v1 HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: {size}\r\n{KEY}\r\n"
    )
    assert agent.head().status == 100
    agent.send(b"x" * (1 << 18))
    target = world.upstream.accept()
    target.head()
    for start in range(1 << 18, size, 1 << 18):
        assert len(target.read(1 << 18)) == 1 << 18
        agent.send(b"x" * min(1 << 18, size - start))
    target.read(1)
    target.send(OK)
    assert agent.response()[0].status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_judged_body_arrives_whole(judged: Any, *, chunked: bool) -> None:
    """Held until its end, recorded in pieces, then forwarded byte for byte in the framing it came in."""
    world = judged()
    body = rpc("ls", text="x" * 600_000).encode()
    if chunked:
        agent = world.ask(f"POST /c/mcp HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n{KEY}\r\n")
        for start in range(0, len(body), 100_000):
            part = body[start : start + 100_000]
            agent.send(b"%x\r\n%b\r\n" % (len(part), part))
        assert world.upstream.untouched()
        agent.send("0\r\n\r\n")
    else:
        agent = world.ask(post("/c/mcp", body))
    target = world.upstream.accept()
    target.head()
    assert (target.chunked() if chunked else target.read(len(body))) == body
    target.send(OK)
    assert agent.response()[0].status == 200
    (record,) = world.recorder.ended()
    assert b"".join(record.pieces) == body
    assert record.decision.policies == ("ls",)


def test_a_judged_body_is_invited(judged: Any) -> None:
    """A client that waits for 100 Continue gets it before its body can be judged."""
    world = judged()
    body = rpc("ls")
    agent = world.ask(
        f"POST /c/mcp HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n{KEY}\r\n"
    )
    assert agent.head().status == 100
    agent.send(body)
    target = world.upstream.accept()
    target.head()
    target.send(OK)
    assert agent.response()[0].status == 200


def test_no_policy_no_decision(world: Any) -> None:
    """Without policies nothing is judged, held or noted."""
    world.exchange(f"GET /c/up/admin HTTP/1.1\r\nHost: g\r\n{KEY}\r\n", OK)
    assert world.recorder.ended()[0].decision is None


# -- denied ----------------------------------------------------------------------------------------


def test_a_denied_request_names_the_rule(judged: Any) -> None:
    """Problem details with the policy, its reason and whom to ask; nothing is forwarded, all is on record."""
    world = judged(labels={"owner": "the platform team"})
    agent = world.get("/c/up/v1/Admin/users")
    head, body = agent.response()
    problem = json.loads(body)
    assert head.status == 403
    assert problem["type"] == "urn:tachograph:problem:policy-denied"
    assert problem["policies"] == ["no-admin"]
    assert "`no-admin`: Administration is for people" in problem["detail"]
    assert "ask the platform team" in problem["next"]
    assert world.upstream.untouched()
    (record,) = world.recorder.ended()
    assert (record.decision.effect, record.error.code) == ("deny", "policy-denied")
    assert (record.origin, record.request_end) == ("gateway", True)


def test_the_connection_stays_usable(judged: Any) -> None:
    """After a refusal the agent goes on over the same connection, a judged body or not."""
    world = judged()
    agent = world.get("/c/up/admin")
    assert agent.response()[0].status == 403
    agent.send(post("/c/mcp", rpc("format")))
    assert agent.response()[0].status == 403
    agent.send(post("/c/mcp", '{"jsonrpc":"2.0","method":"a","method":"b"}'))
    assert agent.response()[0].status == 400
    agent.send(f"GET /c/up/ HTTP/1.1\r\nHost: g\r\n{KEY}\r\n")
    target = world.upstream.accept()
    target.head()
    target.send(OK)
    assert agent.response()[0].status == 200


def test_a_denied_upload_is_not_invited(judged: Any) -> None:
    """Who asks before sending hears the answer instead of `100 Continue`."""
    world = judged()
    agent = world.ask(
        f"POST /c/up/x HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: 9\r\n{KEY}\r\n"
    )
    head, body = agent.response()
    assert head.status == 403
    assert b"no policy permits this http.request here" in body
    (record,) = world.recorder.ended()
    assert record.request_end is False


def test_an_mcp_client_gets_json_rpc(judged: Any) -> None:
    """An error for its own id, with the rule among the data."""
    world = judged()
    head, body = world.ask(post("/c/mcp", rpc("format"))).response()
    answer = json.loads(body)
    assert (head.status, answer["id"]) == (403, 7)
    assert answer["error"]["data"]["code"] == "policy-denied"
    assert answer["error"]["data"]["policies"] == []
    assert "format" not in body.decode()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/messages", "permission_error"),
        ("/V1//messages", "permission_error"),
        ("/v1/chat/completions", "invalid_request_error"),
        ("/v1/chat/completions?next=/v1/messages", "invalid_request_error"),
    ],
)
def test_a_model_client_gets_its_own_error(judged: Any, path: str, kind: str) -> None:
    """Anthropic's or OpenAI's error object, which its SDK shows."""
    world = judged()
    head, body = world.ask(post(f"/c/llm{path}", '{"model":"huge"}')).response()
    answer = json.loads(body)
    assert (head.status, answer["error"]["type"]) == (403, kind)
    assert "no policy permits this llm.message" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/c/mcp", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ls","name":"rm"}}'),
        ("/c/mcp", "[" * 500 + "]" * 500),
        ("/c/mcp", "[]"),
        ("/c/mcp/../x", rpc("ls")),
        ("/c/mcp/%252e%252e/x", rpc("ls")),
        ("/c/llm/v1/messages", '{"model":"small","model":"huge"}'),
        ("/c/llm/v1/messages", '{"model":"small","max_tokens":' + "9" * 100 + "}"),
        ("/c/llm/v1/messages", '{"Model":"huge"}'),
        ("/c/up/v1/%2e%2e/admin", ""),
    ],
)
def test_what_has_two_readings_is_refused(judged: Any, path: str, body: str) -> None:
    """400 with what was expected; on record with its decision; the target sees nothing of it."""
    world = judged()
    head, answer = world.ask(post(path, body)).response()
    assert head.status == 400
    assert b"expected" in answer
    (record,) = world.recorder.ended()
    assert (record.decision.effect, record.error.code) == ("deny", "bad-request")
    assert world.upstream.untouched()


def test_nothing_goes_before_the_decision_is_durable(judged: Any) -> None:
    """While the record of a judged request is not on disk, the target hears nothing."""
    world = judged()
    world.recorder.gate.clear()
    agent = world.ask(post("/c/mcp", rpc("ls")))
    world.eventually(lambda: world.recorder.records and world.recorder.records[0].decision)
    assert world.upstream.untouched()
    world.recorder.gate.set()
    target = world.upstream.accept()
    target.head()
    target.send(OK)
    assert agent.response()[0].status == 200


def test_a_swap_changes_what_comes_after_it(judged: Any) -> None:
    """An exchange under way keeps the policies that it began with; the next one has the new ones."""
    world = judged()
    relay = world.gateway.plane.relay
    world.recorder.gate.clear()
    agent = world.ask(post("/c/mcp", rpc("ls")))
    world.eventually(lambda: world.recorder.records and world.recorder.records[0].decision)
    nothing = CedarJudge((), [record.connection for record in world.recorder.records])
    relay.registered = replace(relay.registered, judge=nothing)
    world.recorder.gate.set()
    target = world.upstream.accept()
    target.head()
    target.send(OK)
    assert agent.response()[0].status == 200
    assert world.ask(post("/c/mcp", rpc("ls"))).response()[0].status == 403


# -- bounds ----------------------------------------------------------------------------------------


def test_a_body_too_long_to_judge_is_413(judged: Any) -> None:
    """By its Content-Length before any of it, by its bytes where it is chunked; in the protocol's shape."""
    world = judged()
    agent = world.ask(
        f"POST /c/mcp HTTP/1.1\r\nHost: g\r\nContent-Length: {MAX_JUDGED_BODY + 1}\r\n{KEY}\r\n"
    )
    head, body = agent.response()
    assert head.status == 413
    assert json.loads(body)["error"]["data"]["code"] == "bad-request"
    agent = world.ask(f"POST /c/mcp HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n{KEY}\r\n")
    part = b"x" * 262_144
    for _ in range(MAX_JUDGED_BODY // len(part) + 1):
        agent.send(b"%x\r\n%b\r\n" % (len(part), part))
    assert agent.response()[0].status == 413
    assert world.upstream.untouched()
    assert [record.request_end for record in world.recorder.ended(2)] == [False, False]


def test_waiting_bodies_share_a_bound() -> None:
    """All of one worker's; what an exchange held is free again when it ends, however it ends."""
    waiting = Waiting(most=10)
    with waiting.room() as one:
        one.take(6)
        with waiting.room() as two, pytest.raises(JudgementFull):
            two.take(5)
        assert waiting.used == 6
    assert waiting.used == 0
    with pytest.raises(BadRequest) as caught:
        check_length(MAX_JUDGED_BODY + 1)
    assert caught.value.status == 413


# -- held ------------------------------------------------------------------------------------------


def test_an_approved_request_goes_on(judged: Any) -> None:
    """Recorded, held with its whole body, kept alive with 100, then forwarded."""
    holder = Holds()
    world = judged(holder=holder)
    agent = world.ask(post("/c/mcp", rpc("rm", path="/x")))
    assert agent.head().first == "HTTP/1.1 100 Continue"
    target = world.upstream.accept()
    target.head()
    assert target.read(len(rpc("rm", path="/x"))) == rpc("rm", path="/x").encode()
    target.send(OK)
    assert agent.response()[0].status == 200
    assert holder.recorded == [True]
    (asked,) = holder.asked
    assert (asked.body, asked.principal.id) == (rpc("rm", path="/x").encode(), "tester")
    assert world.recorder.ended()[0].decision.effect == "approval"


def test_a_key_that_was_revoked_meanwhile_opens_nothing(judged: Any) -> None:
    """What waited for people is refused as anything else of that key would be now."""
    world = judged(holder=Holds())
    agent = world.ask("DELETE /c/up/x HTTP/1.1\r\nHost: g\r\nX-Tacho-Key: fleeting\r\n\r\n")
    assert agent.head().status == 100
    head, body = agent.response()
    assert head.status == 401
    assert b"revoked" in body
    assert world.upstream.untouched()
    assert world.recorder.ended()[0].error.code == "unauthenticated"


def test_an_approved_request_is_never_sent_twice(judged: Any) -> None:
    """Not over a kept connection, whose loss would have to be answered by repeating it."""
    world = judged(holder=Holds())
    world.idle_connection()
    agent = world.ask(f"DELETE /c/up/x HTTP/1.1\r\nHost: g\r\n{KEY}\r\n")
    assert agent.head().status == 100
    target = world.upstream.accept()
    assert target.head().first == "DELETE /x HTTP/1.1"
    target.close()
    assert agent.response()[0].status == 502
    assert world.upstream.untouched()


def test_approval_reads_the_body_that_the_decision_did_not(judged: Any) -> None:
    """What people approve is the whole request, so it is there before they are asked."""
    holder = Holds()
    world = judged(holder=holder)
    agent = world.ask(f"DELETE /c/up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\n{KEY}\r\nbody")
    assert agent.head().status == 100
    target = world.upstream.accept()
    target.head()
    assert target.read(4) == b"body"
    target.send(OK)
    assert agent.response()[0].status == 200
    assert [asked.body for asked in holder.asked] == [b"body"]


def test_http_1_0_hears_no_interim(judged: Any) -> None:
    """An old client knows no 1xx (RFC 9110, 15.2)."""
    world = judged(holder=Holds(grant=False))
    agent = world.ask(f"DELETE /c/up/x HTTP/1.0\r\nHost: g\r\n{KEY}\r\n")
    assert agent.head().status == 403


@pytest.mark.parametrize(("holder", "says"), [(Holds(grant=False), b"not today"), (None, b"not configured")])
def test_what_is_not_approved_is_refused(judged: Any, holder: Holds | None, says: bytes) -> None:
    """By a reviewer, or because nobody can be asked; the request is on record, nothing is forwarded."""
    world = judged(holder=holder)
    agent = world.ask(f"DELETE /c/up/x HTTP/1.1\r\nHost: g\r\n{KEY}\r\n")
    head = agent.head()
    head = agent.head() if head.status == 100 else head
    assert head.status == 403
    assert says in agent.read(int(head.get("content-length") or 0))
    assert world.upstream.untouched()
    (record,) = world.recorder.ended()
    assert (record.decision.effect, record.error.code) == ("approval", "approval-denied")


def test_pieces_have_the_recorders_size() -> None:
    """A body that was held goes out in pieces that the upstream's flow control can pace."""
    assert request_way.MAX_PIECE_BYTES * 16 == MAX_JUDGED_BODY
