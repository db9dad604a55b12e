"""Heads and chunks as bytes; what would split a message is not written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.errors import GatewayFault
from tachograph.ingress.http.requests import RequestParser
from tachograph.ingress.http.responses import ResponseParser
from tachograph.ingress.http.serialize import chunk, last_chunk, request_head, response_head


def test_heads() -> None:
    """Names and values stand as they were given."""
    assert (
        request_head("GET", "/%2f?", [("Host", "a"), ("X", "")])
        == b"GET /%2f? HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"
    )
    assert response_head(200, "OK", []) == b"HTTP/1.1 200 OK\r\n\r\n"
    assert response_head(200, "", []) == b"HTTP/1.1 200 \r\n\r\n"


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX: y", "a\r", "\u0100"])
def test_a_value_cannot_split_the_head(value: str) -> None:
    """A line break or a character beyond a byte is our fault, not a message."""
    with pytest.raises(GatewayFault) as error:
        request_head("GET", "/", [("X", value)])
    assert value not in error.value.detail


@given(st.lists(st.binary(min_size=1), max_size=5))
def test_chunks_read_back(pieces: list[bytes]) -> None:
    """What is written in chunks is read back by the strict parser, trailers beside it."""
    parser = ResponseParser("GET")
    parser.feed(response_head(200, "OK", [("Transfer-Encoding", "chunked")]))
    for piece in pieces:
        parser.feed(chunk(piece))
    parser.feed(last_chunk([("X-T", "t")]))
    assert parser.body.take(1 << 20) == b"".join(pieces)
    assert (parser.complete, parser.trailers) == (True, (("X-T", "t"),))


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=" "), min_size=1))
def test_targets_read_back(rest: str) -> None:
    """A target goes through parser and writer unchanged."""
    target = f"/{rest}"
    parser = RequestParser(max_head_bytes=1 << 16)
    parser.feed(request_head("GET", target, [("Host", "a")]))
    assert [item.target for item in parser.requests] == [target]
