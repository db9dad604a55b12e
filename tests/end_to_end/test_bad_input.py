"""Whatever goes wrong is said on the right side, and both halves of the exchange are on record."""

import gzip
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.engines

Play = Callable[[socket.socket, bytes], None]
BODY = b'{"a":1}'


def body_of(peer: socket.socket, request: bytes, length: int) -> bytes:
    """The request's body, of which a part came with the head."""
    body = request.partition(b"\r\n\r\n")[2]
    while len(body) < length and (data := peer.recv(1 << 16)):
        body += data
    return body


def reset(peer: socket.socket, _: bytes) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(peer: socket.socket, _: bytes) -> None:
    peer.recv(1)  # until the gateway has had enough


def garbage(peer: socket.socket, request: bytes) -> None:
    body_of(peer, request, len(BODY))  # a close before all was taken would be a reset
    peer.sendall(b"\x16\x03\x01 220 this is another protocol\r\n\r\n")


@pytest.mark.parametrize(
    ("connection", "play", "status", "code"),
    [
        ("closed", None, 502, "upstream-refused"),
        ("api", reset, 502, "upstream-reset"),
        ("api", garbage, 502, "upstream-garbage"),
        ("slow", silence, 504, "upstream-timeout"),
        ("nowhere", None, 404, "unknown-connection"),
    ],
)
def test_what_fails_is_told_and_recorded(
    site: Any, connection: str, play: Play | None, status: int, code: str
) -> None:
    """The agent gets the status of whose fault it is; the documents name the same reason."""
    site.target.play = play
    answer = site.ask(f"/c/{connection}/fails-{code}", body=BODY)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert code.encode() in answer
    _, response = site.told(f"/fails-{code}")
    assert response["unmapped"]["tacho"]["error"]["code"] == code
    assert response["unmapped"]["tacho"]["origin"] == "gateway"
    assert response["http_response"]["code"] == status


@pytest.mark.parametrize(
    ("connection", "sign"),
    [("api", b"unauthenticated"), ("model", b"invalid_request_error"), ("tools", b"jsonrpc")],
)
def test_a_bad_token_is_401_and_recorded_without_it(site: Any, connection: str, sign: bytes) -> None:
    """Nobody comes in; what was presented is nowhere in the documents."""
    token = "tacho_abcd2345_" + "Nq7" * 14 + "x"
    answer = site.ask(f"/c/{connection}/bad-token-{connection}", body=b"{}", key=token)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert sign in answer
    request, response = site.told(f"/bad-token-{connection}")
    assert response["unmapped"]["tacho"]["error"]["code"] == "unauthenticated"
    assert token[-12:] not in f"{request}{response}"


SECRET = "Kq7hunter2hunter9"


@pytest.mark.parametrize(
    ("path", "head", "body", "withheld"),
    [
        ("json-that-is-none", "Content-Type: application/json\r\n", f"password={SECRET}".encode(), None),
        ("text-that-is-json", "Content-Type: text/plain\r\n", b'{"password":"%s"}' % SECRET.encode(), None),
        ("binary-as-json", "Content-Type: image/png\r\n", b"\x89PNG\xff\xfe" + SECRET.encode(), "binary"),
        (
            "gzip-that-is-none",
            "Content-Encoding: gzip\r\n",
            b'{"password":"%s"}' % SECRET.encode(),
            "invalid-gzip",
        ),
        (
            "gzip-cut-short",
            "Content-Encoding: gzip\r\n",
            gzip.compress(b'{"password":"%s"}' % SECRET.encode() * 99, mtime=0)[:-9],
            "invalid-gzip",
        ),
        (
            "unknown-coding",
            "Content-Encoding: rot13\r\n",
            b'{"password":"%s"}' % SECRET.encode(),
            "unknown-encoding",
        ),
    ],
)
def test_a_body_that_is_not_what_it_says(
    site: Any, path: str, head: str, body: bytes, withheld: str | None
) -> None:
    """The target gets every byte; the document is masked, or says why it withholds; never the secret."""
    seen: list[bytes] = []

    def play(peer: socket.socket, request: bytes) -> None:
        seen.append(body_of(peer, request, len(body)))
        peer.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    site.target.play = play
    assert site.ask(f"/c/api/{path}", body=body, head=head).startswith(b"HTTP/1.1 204 ")
    assert seen == [body]
    request, _ = site.told(f"/{path}")
    assert request["unmapped"]["tacho"].get("withheld") == withheld
    assert SECRET not in str(request)


def test_nothing_was_lost_and_nothing_clear_was_kept(site: Any) -> None:
    """After all of that: each exchange has two documents, no dead letter, no secret in a file or topic."""
    pairs = site.exchanges()
    assert len(pairs) >= 1
    assert all(len(pair) == 2 for pair in pairs.values())
    assert site.topic(site.config.kafka.topics.deadletter) == []
    assert not [path for path, content in site.files() if SECRET.encode() in content]
    assert not [value for value in site.topic(site.config.kafka.topics.raw) if SECRET.encode() in value]
