"""What an approval is bound to: every byte that reviewers judge, nothing in which honest retries differ."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.approval.digests import Digests
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.keys import KeyEncryptionKey

DIGESTS = Digests(KeyEncryptionKey(bytes(32)))
ALICE = Principal(id="alice", kind=PrincipalKind.OIDC, issuer="https://id.example")


@pytest.mark.parametrize(
    "other",
    [
        {"principal": ALICE},
        {"principal": ALICE.model_copy(update={"issuer": "https://other.example"})},
        {"actors": ("agent-7",)},
        {"method": "POST"},
        {"target": "/files/7?force=0"},
        {"body": b'{"all": true} '},
        {"body": None},
        {"headers": (("Content-Type", "text/plain"),)},
        {"headers": (("Content-Type", "application/json"), ("X-Http-Method-Override", "GET"))},
        {"headers": ()},
    ],
)
def test_an_altered_request_has_another_digest(play: Any, other: dict[str, Any]) -> None:
    """Whoever, however, wherever, whatever: one change and no decision for the first serves the second."""
    assert DIGESTS.request(play.asked(**other)) != DIGESTS.request(play.asked())


def test_an_honest_retry_has_the_same_digest(play: Any) -> None:
    """Another exchange, another trace, headers in another order, the clients' own counters: the same."""
    headers = (
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("X-Stainless-Retry-Count", "2"),
        ("User-Agent", "agent/2"),
        ("content-type", "application/json"),
    )
    retry = play.asked(headers=headers, client="127.0.0.1:2", started_ns=99)
    assert DIGESTS.request(retry) == DIGESTS.request(play.asked())
    assert DIGESTS.scope(retry) == DIGESTS.scope(play.asked())


def test_a_digest_tells_nothing_without_the_key(play: Any) -> None:
    """Another installation's digest of the same request is another."""
    other = Digests(KeyEncryptionKey(bytes([1]) * 32))
    assert other.request(play.asked()) != DIGESTS.request(play.asked())
    assert DIGESTS.request(play.asked()) != DIGESTS.scope(play.asked())


def test_a_grant_is_for_method_and_path(play: Any) -> None:
    """Another query or body is the same kind of request; another path, method or person is not."""
    scope = DIGESTS.scope(play.asked())
    assert DIGESTS.scope(play.asked(target="/files/7", body=b"x")) == scope
    for other in ({"target": "/files/8"}, {"method": "PUT"}, {"principal": ALICE}, {"actors": ("a",)}):
        assert DIGESTS.scope(play.asked(**other)) != scope


def call(tool: str, **arguments: Any) -> bytes:
    return orjson.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    )


def test_a_grant_for_one_tool_is_not_for_another(play: Any) -> None:
    """On an MCP connection the path is always the same: method and tool name the kind."""

    def scope(body: bytes | None) -> str:
        return DIGESTS.scope(play.asked(connection=play.TOOLS, body=body))

    assert scope(call("delete", path="/a")) == scope(call("delete", path="/b"))
    others = (call("list"), b"[" + call("delete") + b"," + call("list") + b"]", b"not json", b"[1]", None)
    assert len({scope(body) for body in (call("delete"), *others)}) == 1 + len(others)


def test_a_grant_for_one_resource_is_not_for_another(play: Any) -> None:
    """Nor one prompt's for another: whoever granted it looked at this one."""

    def scope(method: str, **params: str) -> str:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return DIGESTS.scope(play.asked(connection=play.TOOLS, body=orjson.dumps(message)))

    asked = (("resources/read", {"uri": "file:///a"}), ("resources/read", {"uri": "file:///b"}))
    assert len({scope(method, **params) for method, params in asked}) == 2
    assert scope("prompts/get", name="a") != scope("prompts/get", name="b")
    assert scope("prompts/get", name="a") != scope("prompts/get", uri="a")


PARTS = st.text(max_size=6)
HEADERS = st.lists(st.tuples(PARTS, PARTS), max_size=3).map(tuple)
REQUESTS = st.fixed_dictionaries({"target": PARTS, "headers": HEADERS, "body": st.binary(max_size=6)})


@given(REQUESTS, REQUESTS)
def test_no_two_requests_share_a_digest(play: Any, one: dict[str, Any], two: dict[str, Any]) -> None:
    """Bytes that move from one part into the next make another request: every part carries its length."""

    def told(request: dict[str, Any]) -> dict[str, Any]:
        return request | {"headers": sorted((name.lower(), value) for name, value in request["headers"])}

    same = told(one) == told(two)
    assert (DIGESTS.request(play.asked(**one)) == DIGESTS.request(play.asked(**two))) is same


def test_a_cut_in_another_place_is_another_request(play: Any) -> None:
    """The same bytes in the same order, divided otherwise."""
    pairs = ((("ab", "c"),), (("a", "bc"),), (("abc", ""),), (("a", "b"), ("c", "")), ())
    assert len({DIGESTS.request(play.asked(headers=headers)) for headers in pairs}) == len(pairs)
