"""Who may go where, what travels with the request, and that every refusal is on record."""

from __future__ import annotations

import json
from typing import Any

import pytest

OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
KEY = "X-Tacho-Key: good\r\n"


def _seen(world: Any, request: str, answer: str = OK) -> tuple[Any, Any]:
    """The head that the target saw, and the one that the agent got."""
    agent = world.ask(request)
    target = world.upstream.accept()
    head = target.head()
    target.send(answer)
    return head, agent.response()[0]


@pytest.mark.parametrize(
    "rest",
    [
        "/",
        "/a%2Fb%2f",
        "/%00%ff%zz",
        "/a/../b/./c//d",
        "/../../etc/passwd",
        "/?",
        "/?a=1&a=2&&=",
        "/a?b?c=/d;e",
        "/a+b%20c;x=y",
        "/~'()*!$,:@[]{}|^`\"<>\\",
        "//double",
        "/c/up/nested",
    ],
)
def test_path_and_query_are_byte_exact(world: Any, rest: str) -> None:
    """Nothing in the target is decoded, normalised or escaped, and the record holds the same bytes."""
    seen, _ = _seen(world, f"GET /c/up{rest} HTTP/1.1\r\nHost: gateway\r\n{KEY}\r\n")
    assert seen.first == f"GET {rest} HTTP/1.1"
    assert world.recorder.ended()[0].head.target == rest


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("/c/mcp", "/base"),
        ("/c/mcp?x=1", "/base?x=1"),
        ("/c/mcp/", "/base/"),
        ("/c/mcp/t?x", "/base/t?x"),
        ("/c/up", "/"),
        ("/c/up?x", "/?x"),
        ("http://elsewhere.example/c/up/x", "/x"),
    ],
)
def test_prefix_of_the_upstream_comes_first(world: Any, target: str, seen: str) -> None:
    """The connection's own path stands before what the agent sent."""
    head, _ = _seen(world, f"GET {target} HTTP/1.1\r\nHost: gateway\r\n{KEY}\r\n")
    assert head.first == f"GET {seen} HTTP/1.1"
    assert head.all("host") == [f"127.0.0.1:{world.upstream.port}"]


def test_host_name_selects_its_connection(make_world: Any) -> None:
    """A registered host takes the whole path; an absolute-form target's host selects nothing."""
    world = make_world(hosts=("api.example",))
    head, _ = _seen(world, f"GET /c/x HTTP/1.1\r\nHost: API.example:8080\r\n{KEY}\r\n")
    assert head.first == "GET /c/x HTTP/1.1"
    assert head.all("host") == [f"127.0.0.1:{world.upstream.port}"]
    agent = world.ask(f"GET http://api.example/x HTTP/1.1\r\nHost: api.example\r\n{KEY}\r\n")
    assert agent.response()[0].status == 404


def test_hop_by_hop_fields_are_stripped_both_ways(world: Any) -> None:
    """What belongs to one hop, and what `Connection` names, goes no further; all else does, verbatim."""
    hop = (
        "Connection: keep-alive, X-Mine, TE\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\n"
        "Proxy-Authorization: Basic x\r\nTE: trailers\r\nTrailer: X-T\r\nUpgrade: h2c\r\n"
    )
    back = (
        "HTTP/1.1 200 OK\r\nConnection: X-Theirs\r\nX-Theirs: 1\r\nKeep-Alive: timeout=5\r\n"
        "Proxy-Authenticate: Basic\r\nUpgrade: h2\r\nTrailer: X-T\r\n"
        "request-id: r1\r\nContent-Length: 0\r\n\r\n"
    )
    request = f"GET /c/up/ HTTP/1.1\r\nHost: gateway\r\n{KEY}{hop}anthropic-beta: b,  c\r\nX-Empty:\r\n\r\n"
    seen, got = _seen(world, request, back)
    host = ("Host", f"127.0.0.1:{world.upstream.port}")
    assert seen.fields == (host, ("anthropic-beta", "b,  c"), ("X-Empty", ""))
    assert got.fields == (("request-id", "r1"), ("Content-Length", "0"))


def test_framing_cannot_be_named_away(world: Any) -> None:
    """`Connection: content-length` does not turn a body into the next request."""
    agent = world.ask(
        f"POST /c/up/ HTTP/1.1\r\nHost: g\r\n{KEY}"
        "Connection: content-length, host\r\nContent-Length: 2\r\n\r\nhi"
    )
    target = world.upstream.accept()
    head = target.head()
    assert (head.get("content-length"), len(head.all("host"))) == ("2", 1)
    assert target.read(2) == b"hi"
    target.send(OK)
    agent.response()


def test_credentials_stay_on_their_side(make_world: Any) -> None:
    """The gateway credential never reaches the target, and the record never holds it."""
    world = make_world(credential={"type": "bearer", "source": {"env": "UNUSED"}})
    seen, _ = _seen(world, f"GET /c/up/ HTTP/1.1\r\nHost: gateway\r\n{KEY}x-api-key: agents-own\r\n\r\n")
    assert seen.all("x-tacho-key") == []
    assert (seen.all("authorization"), seen.all("x-api-key")) == (["Bearer real"], [])
    (record,) = world.recorder.ended()
    assert ("X-Tacho-Key", "[gateway-credential]") in record.head.headers
    assert "good" not in repr(record.head)
    assert "real" not in repr(record.head)
    assert record.injected == ("real",)


def test_what_is_for_the_gateway_alone_stays_with_it(world: Any) -> None:
    """The agent's names for its session and itself are recorded; the target learns nothing of them."""
    notes = ("X-Tacho-Session: s", "X-Tacho-Agent: a", "X-Tacho-Parent: p")
    lines = "".join(f"{line}\r\n" for line in notes)
    seen, _ = _seen(world, f"GET /c/up/ HTTP/1.1\r\nHost: gateway\r\n{KEY}{lines}\r\n")
    assert [name for name, _ in seen.fields if name.lower().startswith("x-tacho-")] == []
    (record,) = world.recorder.ended()
    assert ("X-Tacho-Session", "s") in record.head.headers


def test_no_path_climbs_out_of_the_connections_prefix(world: Any) -> None:
    """The prefix is part of what is registered: an agent cannot take the credential to another path."""
    head, body = world.get("/c/mcp/%2e./admin").response()
    assert (head.status, b"`..`" in body) == (400, True)
    assert world.upstream.untouched()
    (record,) = world.recorder.ended()
    assert record.error.code == "bad-request"


def test_a_gateway_key_in_the_url_goes_nowhere(world: Any) -> None:
    """Targets log their URLs, so it is refused with what to do; the record shows where it stood."""
    key = "tacho_abcd2345_" + "k" * 43
    agent = world.get(f"/c/up/v1?key={key}&a=b")
    head, body = agent.response()
    assert (head.status, b"x-tacho-key" in body, key.encode() in body) == (400, True, False)
    (record,) = world.recorder.ended()
    assert record.head.target == "/v1?key=[gateway-credential]&a=b"
    assert world.upstream.untouched()


def test_an_injected_credential_does_not_come_back(make_world: Any) -> None:
    """Whatever the target repeats in its head or trailers, neither agent nor record sees the credential."""
    world = make_world(credential={"type": "bearer", "source": {"env": "UNUSED"}})
    agent = world.get("/c/up/", "TE: trailers")
    target = world.upstream.accept()
    target.head()
    target.send("HTTP/1.1 103 Early Hints\r\nLink: </?key=real>\r\n\r\n")
    assert agent.head().get("link") == "</?key=[target-credential]>"
    target.send("HTTP/1.1 302 Found\r\nLocation: /next?key=real\r\nTransfer-Encoding: chunked\r\n\r\n")
    target.send("0\r\nX-Echo: real\r\n\r\n")
    assert agent.head().get("location") == "/next?key=[target-credential]"
    assert agent.read_until(b"\r\n\r\n") == b"0\r\nX-Echo: [target-credential]\r\n\r\n"
    (record,) = world.recorder.ended()
    assert "real" not in repr((record.headers, record.trailers))


@pytest.mark.parametrize("framing", ["Content-Length: 24", "Transfer-Encoding: chunked"])
def test_an_injected_credential_does_not_come_back_in_a_body(make_world: Any, framing: str) -> None:
    """Where the connection wants it: at the same length, over any cut; the record holds what is seen."""
    world = make_world(credential={"type": "bearer", "source": {"env": "UNUSED"}}, conceal_body=True)
    agent = world.get("/c/up/")
    target = world.upstream.accept()
    target.head()
    target.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n")
    chunked = framing.startswith("Transfer")
    for piece in ("it is re", "al-crede", "ntial!!\n"):
        target.send(f"8\r\n{piece}\r\n" if chunked else piece)
    if chunked:
        target.send("0\r\n\r\n")
    assert agent.response()[1] == b"it is ***************!!\n"
    (record,) = world.recorder.ended()
    assert bytes(record.body) == b"it is ***************!!\n"


REFUSED = {
    "no identity": ("GET /c/up/ HTTP/1.1\r\nHost: g\r\n\r\n", 401, "unauthenticated"),
    "an unknown identity": (
        "GET /c/up/ HTTP/1.1\r\nHost: g\r\nX-Tacho-Key: bad\r\n\r\n",
        401,
        "unauthenticated",
    ),
    "an unknown connection": (f"GET /c/none/ HTTP/1.1\r\nHost: g\r\n{KEY}\r\n", 404, "unknown-connection"),
    "an unknown connection and no identity": ("GET / HTTP/1.1\r\nHost: g\r\n\r\n", 404, "unknown-connection"),
    "a name that only begins like one": (
        f"GET /c/upper HTTP/1.1\r\nHost: g\r\n{KEY}\r\n",
        404,
        "unknown-connection",
    ),
    "an encoded name": (f"GET /c/%75p/ HTTP/1.1\r\nHost: g\r\n{KEY}\r\n", 404, "unknown-connection"),
    "the server as a whole": (f"OPTIONS * HTTP/1.1\r\nHost: g\r\n{KEY}\r\n", 404, "unknown-connection"),
    "a request with a fault": (f"GET /c/up/ HTTP/1.1\r\n{KEY}\r\n", 400, "bad-request"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_requests_are_recorded(case: str, world: Any) -> None:
    """Each refusal says what to do next, reaches no target, and is on record as our own answer."""
    text, status, code = REFUSED[case]
    head, body = world.ask(text).response()
    assert head.status == status
    problem = json.loads(body)
    assert problem["type"] == f"urn:tachograph:problem:{code}"
    assert problem["next"]
    assert (head.get("www-authenticate") is not None) == (status == 401)
    (record,) = world.recorder.ended()
    assert problem["instance"] == record.exchange.urn
    assert (record.origin, record.status, record.error.code) == ("gateway", status, code)
    assert (record.pieces, record.request_end, bytes(record.body)) == ([b""], True, body)
    assert "good" not in repr(record.head)
    assert "bad" not in repr(record.head)
    assert world.upstream.untouched()


def test_a_key_for_other_connections_is_forbidden_on_this_one(make_world: Any) -> None:
    """A credential's own scope counts, however many the connection allows."""
    world = make_world(allow=("*",))
    head, body = world.ask("GET /c/up/ HTTP/1.1\r\nHost: g\r\nX-Tacho-Key: scoped\r\n\r\n").response()
    assert head.status == 403
    assert b"may not use the connection up" in body
    assert world.upstream.untouched()


def test_forbidden_names_the_principal(make_world: Any) -> None:
    """A verified identity that is not on the connection's list is 403, recorded under its own name."""
    world = make_world(allow=("tester",))
    head, body = world.ask("GET /c/up/ HTTP/1.1\r\nHost: g\r\nX-Tacho-Key: other\r\n\r\n").response()
    assert head.status == 403
    assert b"other may not use the connection up" in body
    (record,) = world.recorder.ended()
    assert (record.principal.id, record.error.code) == ("other", "forbidden")
    assert _seen(world, f"GET /c/up/ HTTP/1.1\r\nHost: g\r\n{KEY}\r\n")[1].status == 200


def test_refusal_keeps_the_connection(world: Any) -> None:
    """After a refusal of a whole request the agent may go on, over the same connection."""
    agent = world.ask("POST /c/up/ HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\nhi")
    assert agent.response()[0].status == 401
    agent.send(f"GET /c/up/ HTTP/1.1\r\nHost: g\r\n{KEY}\r\n")
    target = world.upstream.accept()
    target.head()
    target.send(OK)
    assert agent.response()[0].status == 200


def test_refusal_of_head_has_no_body(world: Any) -> None:
    """A HEAD that is refused gets the head only."""
    agent = world.ask("HEAD /c/up/ HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
    assert agent.head().status == 401
    assert agent.rest() == b""


def test_full_recorder_refuses_everything(world: Any) -> None:
    """What cannot be recorded is not forwarded: 503 with Retry-After, in the protocol's shape."""
    world.recorder.full = True
    agent = world.ask(f"POST /c/llm/v1/messages HTTP/1.1\r\nHost: g\r\n{KEY}Content-Length: 2\r\n\r\n{{}}")
    head, body = agent.response()
    assert (head.status, head.get("retry-after")) == (503, "5")
    assert json.loads(body)["error"]["type"] == "overloaded_error"
    assert world.upstream.untouched()


def test_recorder_that_fills_up_in_mid_exchange(world: Any) -> None:
    """When the request's piece cannot be recorded any more, it is 503 and nothing is forwarded."""
    agent = world.ask(f"POST /c/up/ HTTP/1.1\r\nHost: g\r\n{KEY}Content-Length: 2\r\n\r\n")
    world.eventually(lambda: world.recorder.records)
    world.recorder.full = True
    agent.send("hi")
    assert agent.response()[0].status == 503
    assert world.upstream.untouched()
    assert world.recorder.ended()[0].error.code == "recorder-full"


def test_mcp_refusal_answers_the_call(make_world: Any) -> None:
    """A JSON-RPC client gets an error for its own id."""
    world = make_world(port=1)
    call = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call"})
    agent = world.ask(f"POST /c/mcp HTTP/1.1\r\nHost: g\r\n{KEY}Content-Length: {len(call)}\r\n\r\n{call}")
    head, body = agent.response()
    answer = json.loads(body)
    assert (head.status, answer["jsonrpc"], answer["id"]) == (502, "2.0", 7)
    assert answer["error"]["data"]["code"] == "upstream-refused"


def test_unresolved_target_is_502(make_world: Any) -> None:
    """A name without an address is the target's trouble, and said so."""
    world = make_world(upstream="http://nowhere.invalid")
    head, body = world.get().response()
    assert head.status == 502
    assert json.loads(body)["type"] == "urn:tachograph:problem:upstream-unresolved"
    assert world.recorder.ended()[0].error.code == "upstream-unresolved"
