"""The request parser: any cutting of the bytes gives the same requests, and no bytes make it raise."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.ingress.http.requests import MAX_FIELDS, RequestParser

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\nX-A: b \r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED += b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: t\r\n\r\n"
UPGRADE = POST.replace(b"Host: a\r\n", b"Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n")
UPGRADE_CHUNKED = CHUNKED.replace(b"Host: a\r\n", b"Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n")
UPGRADE_EMPTY = GET.replace(b"Host: a\r\n", b"Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n")
MESSAGES = [GET, POST, CHUNKED, UPGRADE, UPGRADE_CHUNKED, UPGRADE_EMPTY]


def _parse(pieces: list[bytes], *, limit: int = 1 << 16) -> RequestParser:
    parser = RequestParser(max_head_bytes=limit)
    for piece in pieces:
        parser.feed(piece)
    return parser


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


def _facts(parser: RequestParser) -> list[tuple[object, ...]]:
    return [
        (item.method, item.target, item.headers, item.length, item.body.take(1 << 20), item.body.complete)
        for item in parser.requests
    ]


@given(
    st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=4), st.lists(st.integers(0, 1 << 20), max_size=8)
)
@example([UPGRADE, GET], [80, 81, 82])
def test_cutting_changes_nothing(messages: list[bytes], cuts: list[int]) -> None:
    """Pipelined messages, cut anywhere, give the same requests as in one piece."""
    data = b"".join(messages)
    parser = _parse(_cut(data, cuts))
    assert parser.fault is None
    assert not parser.in_head
    facts = _facts(parser)
    assert facts == _facts(_parse([data]))
    assert len(facts) == len(messages)
    assert all(fact[5] for fact in facts)
    bodies = [fact[4] for fact in facts]
    assert bodies == [b"hello" if message.startswith(b"POST") else b"" for message in messages]


@given(st.lists(st.binary(max_size=200), max_size=5))
@example([b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nxx"])
@example([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_no_bytes_make_it_raise(pieces: list[bytes]) -> None:
    """Whatever comes, it is requests or a fault."""
    _parse(pieces)


PARTS = [
    b"GET / HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Upgrade: h2c\r\nConnection: upgrade\r\n",
    b"Expect: 100-continue\r\n",
    b"X: \x00\r\n",
    b" fold\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"abc",
]


@given(st.lists(st.sampled_from(PARTS), max_size=14))
def test_no_grammar_makes_it_raise(pieces: list[bytes]) -> None:
    """Well-formed parts in any order: a fault stands on the last request or on the parser, and ends it."""
    parser = _parse(pieces)
    faulty = [item.fault is not None for item in parser.requests]
    assert not any(faulty[:-1])
    if any(faulty):
        assert parser.fault is not None


def test_heads_are_bounded_in_fields() -> None:
    """More than `MAX_FIELDS` fields are 431."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * MAX_FIELDS + b"\r\n"
    parser = _parse([head])
    assert parser.fault is not None
    assert parser.fault.status == 431


def test_heads_are_bounded_before_they_end() -> None:
    """A field that never ends is refused when the limit has gone by."""
    parser = _parse([b"GET / HTTP/1.1\r\nX: "] + [b"a" * 100] * 20, limit=1024)
    assert parser.fault is not None
    assert parser.fault.status == 431


def test_chunk_extensions_are_bounded() -> None:
    """A chunk extension that never ends is a fault of its request."""
    parser = _parse([CHUNKED[:58] + b"5;"] + [b"a" * 100] * 20, limit=1024)
    assert parser.requests[0].fault is parser.fault is not None


def test_a_long_body_is_no_long_head() -> None:
    """The bound on heads does not count bodies."""
    parser = _parse(
        [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"] + [b"a" * 1000] * 100, limit=1024
    )
    assert parser.fault is None
    assert parser.requests[0].body.size == 100_000
    assert parser.requests[0].body.complete


def test_what_the_head_says() -> None:
    """Facts that the engine asks for, from one head."""
    (request,) = _parse(
        [
            b"GET /x HTTP/1.1\r\nHost: h:1\r\nExpect: 100-continue\r\n",
            b"TE: trailers, x\r\nConnection: a, Close\r\n\r\n",
        ]
    ).requests
    assert (request.host, request.expects_continue, request.takes_trailers, request.keep_alive) == (
        "h:1",
        True,
        True,
        False,
    )
    assert "control" not in repr(request)
