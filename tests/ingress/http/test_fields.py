"""Rules for header fields, one table each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.http.fields import (
    control_fields,
    end_to_end,
    refuse_request,
    refuse_response,
    response_length,
    tokens,
    trailer_fields,
)

NAME = st.text(st.sampled_from("abcXYZ-"), min_size=1, max_size=8)
FIELD = st.tuples(NAME | st.sampled_from(["Connection", "TE", "Host", "Upgrade"]), NAME)


def test_tokens() -> None:
    """List members, without case, white space or empty ones, over several fields."""
    assert tokens(["a, B ,,c", "", " D"]) == {"a", "b", "c", "d"}


@given(st.lists(FIELD))
def test_what_is_left_is_verbatim_and_in_order(fields: list[tuple[str, str]]) -> None:
    """Stripping takes fields away and changes none; nothing that `Connection` names is left."""
    left = end_to_end(fields, control_fields(fields))
    rest = iter(fields)
    assert all(field in rest for field in left)
    named = tokens(value for name, value in fields if name.lower() == "connection")
    assert not {name.lower() for name, _ in left} & (named | {"connection", "te", "upgrade"})


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("Host", "a")], None),
        ([("Host", "[::1]:80")], None),
        ([("Host", "a"), ("Expect", "100-Continue")], None),
        ([("Host", "a"), ("Transfer-Encoding", "Chunked")], None),
        ([("Host", "a"), ("Upgrade", "websocket")], None),
        ([("Host", "a"), ("Upgrade", "h2c"), ("Connection", "upgrade")], None),
        ([], 400),
        ([("Host", "a b")], 400),
        ([("Host", "a:x")], 400),
        ([("Host", "a"), ("Transfer-Encoding", "chunked"), ("Content-Length", "1")], 400),
        ([("Host", "a"), ("Transfer-Encoding", "chunked, chunked")], 501),
        ([("Host", "a"), ("Upgrade", "WebSocket"), ("Connection", "Upgrade")], 501),
        ([("Host", "a"), ("Expect", "else")], 417),
    ],
)
def test_requests(fields: list[tuple[str, str]], status: int | None) -> None:
    """What is taken and what is refused, in HTTP/1.1."""
    fault = refuse_request("GET", "1.1", control_fields(fields))
    assert (fault.status if fault else None) == status


def test_http_1_0_may_lack_a_host() -> None:
    """RFC 9112 asks for Host from HTTP/1.1 on."""
    assert refuse_request("GET", "1.0", {}) is None


@pytest.mark.parametrize(
    ("method", "status", "fields", "length"),
    [
        ("GET", 200, [("Content-Length", "7")], 7),
        ("GET", 200, [("Transfer-Encoding", "chunked")], -1),
        ("GET", 200, [], None),
        ("HEAD", 200, [("Content-Length", "7")], 0),
        ("GET", 204, [], 0),
        ("GET", 304, [("Content-Length", "7")], 0),
        ("GET", 103, [], 0),
    ],
)
def test_length_of_responses(
    method: str, status: int, fields: list[tuple[str, str]], length: int | None
) -> None:
    """RFC 9112, 6.3."""
    assert response_length(method, status, control_fields(fields)) == length


@pytest.mark.parametrize(
    ("status", "version", "fields", "taken"),
    [
        (200, "1.1", [], True),
        (599, "1.0", [], True),
        (103, "1.1", [], True),
        (200, "1.1", [("Transfer-Encoding", "chunked")], True),
        (200, "2.0", [], False),
        (99, "1.1", [], False),
        (101, "1.1", [], False),
        (104, "1.1", [], False),
        (600, "1.1", [], False),
        (200, "1.0", [("Transfer-Encoding", "chunked")], False),
        (200, "1.1", [("Transfer-Encoding", "gzip")], False),
        (200, "1.1", [("Transfer-Encoding", "chunked"), ("Content-Length", "1")], False),
    ],
)
def test_responses(status: int, version: str, fields: list[tuple[str, str]], taken: bool) -> None:
    """What of an upstream is taken for an answer."""
    assert (refuse_response(status, version, control_fields(fields)) is None) == taken


def test_trailers_that_change_the_message_are_dropped() -> None:
    """RFC 9110, 6.5.1."""
    fields = [("X-Sum", "1"), ("Content-Length", "1"), ("Set-Cookie", "a"), ("Host", "a"), ("TE", "x")]
    assert trailer_fields(fields) == (("X-Sum", "1"),)
