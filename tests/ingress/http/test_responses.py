"""The response parser: one response, whatever the cutting, and nothing behind it."""

from __future__ import annotations

import gc
import itertools
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.http.responses import MAX_INTERIM, MAX_RESPONSE_HEAD_BYTES, ResponseParser

OK = b"HTTP/1.1 200 OK\r\n"
SIZED = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: t\r\n\r\n"
OPEN = OK + b"\r\nhello"
HINTS = b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _parse(data: bytes, cuts: list[int], method: str = "GET") -> ResponseParser:
    parser = ResponseParser(method)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        if start < end:
            parser.feed(data[start:end])
    return parser


@given(st.sampled_from([SIZED, CHUNKED, HINTS + SIZED]), st.lists(st.integers(0, 1 << 16), max_size=6))
def test_cutting_changes_nothing(data: bytes, cuts: list[int]) -> None:
    """Head, body and end are the same however the bytes are cut."""
    parser = _parse(data, cuts)
    assert parser.fault is None
    assert parser.head is not None
    assert (parser.head.status, parser.body.take(99), parser.complete, parser.reusable) == (
        200,
        b"hello",
        True,
        True,
    )
    assert parser.trailers == ((("X-T", "t"),) if data is CHUNKED else ())
    assert [head.status for head in parser.interim] == ([103] if data.startswith(HINTS) else [])
    assert parser.eof() is True


def test_the_connection_may_delimit_the_body() -> None:
    """Without a length the end of the connection is the end of the body, and it is not kept."""
    parser = _parse(OPEN, [])
    assert not parser.complete
    assert parser.eof() is True
    assert parser.body.take(9) == b"hello"
    assert not parser.reusable


@pytest.mark.parametrize("data", [SIZED[:-1], CHUNKED[:-2], OK, b"HT", b""])
def test_an_early_end_is_not_complete(data: bytes) -> None:
    """What ends before its own end is not whole."""
    assert _parse(data, []).eof() is False


@pytest.mark.parametrize(
    ("data", "method"),
    [
        (SIZED + b"x", "GET"),
        (SIZED + SIZED, "GET"),
        (SIZED, "HEAD"),
        (OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n", "GET"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "GET"),
        (b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", "GET"),
    ],
)
def test_bytes_behind_a_response_poison_the_connection(data: bytes, method: str) -> None:
    """The response is whole, but its connection carries no other."""
    parser = _parse(data, [], method)
    assert parser.complete
    assert parser.fault is None
    assert not parser.reusable


def test_late_bytes_poison_too() -> None:
    """It makes no difference whether they come in the same piece."""
    parser = _parse(SIZED, [])
    assert parser.reusable
    parser.feed(b"x")
    assert not parser.reusable
    assert parser.body.take(9) == b"hello"


def test_interim_responses_are_bounded_though_each_is_taken_at_once() -> None:
    """A target that sends them for ever is garbage, however quickly they are forwarded."""
    parser = ResponseParser("GET")
    for _ in range(MAX_INTERIM):
        parser.feed(HINTS)
        parser.interim.popleft()
    assert parser.fault is None
    parser.feed(HINTS)
    assert parser.fault is not None


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n",
        OK + b"X: a\n\r\n",
        OK + b"X: a\r\n b\r\n\r\n",
        OK + b"X : a\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        HINTS * (MAX_INTERIM + 1),
        CONTINUE * (MAX_INTERIM + 1),
        OK + b"X: " + b"a" * (MAX_RESPONSE_HEAD_BYTES + 1),
        CHUNKED[:-5] + b"X: " + b"a" * (2 * MAX_RESPONSE_HEAD_BYTES),
    ],
)
def test_garbage_is_a_fault(data: bytes) -> None:
    """What is not one bounded HTTP response is never taken for one."""
    parser = _parse(data, list(range(0, len(data), 65_536)))
    assert parser.fault is not None
    assert not parser.complete


@given(st.lists(st.binary(max_size=300), max_size=5), st.sampled_from(["GET", "HEAD"]))
def test_no_bytes_make_it_raise(pieces: list[bytes], method: str) -> None:
    """Whatever comes, it is a response, a part of one, or a fault."""
    parser = ResponseParser(method)
    for piece in pieces:
        parser.feed(piece)
    parser.eof()


def test_a_long_body_is_no_long_head() -> None:
    """The bound on heads does not count bodies, of any framing."""
    for framing in (
        b"Content-Length: 10000000\r\n\r\n",
        b"\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n989680\r\n",
    ):
        parser = ResponseParser("GET")
        parser.feed(OK + framing)
        for _ in range(100):
            parser.feed(b"x" * 100_000)
            parser.body.discard()
        assert parser.fault is None


def test_a_closed_parser_needs_no_collector() -> None:
    """It goes when its last user lets go of it: at thousands a second the collector would never rest."""
    parser = ResponseParser("GET")
    parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    parser.close()
    seen = weakref.ref(parser)
    gc.disable()
    try:
        del parser
        assert seen() is None
    finally:
        gc.enable()
