"""Bodies of 100 MB both ways: every byte arrives, every piece is on record, and memory stays bounded."""

import hashlib
import socket
from typing import Any

import pytest

pytestmark = pytest.mark.engines

LENGTH = 100_000_000
BLOCK = b'{"note":"row after row","password":"Kq7hunter2hunter9"}\n' * 1000
PIECE = 256 * 1024
PEAK_MB = {"ingress": 300, "process": 700, "sink": 300}
"""The most that each part may have held; the bodies are 200 MB together, `processor.hold_bytes` is 24 MiB."""


def body(sock: socket.socket) -> str:
    """Send LENGTH bytes; their SHA-256."""
    digest, left = hashlib.sha256(), LENGTH
    while left:
        data = BLOCK[:left]
        digest.update(data)
        sock.sendall(data)
        left -= len(data)
    return digest.hexdigest()


def taken(sock: socket.socket, first: bytes) -> str:
    """Take LENGTH bytes, of which `first` are here already; their SHA-256."""
    digest, left = hashlib.sha256(first), LENGTH - len(first)
    while left:
        data = sock.recv(min(left, 1 << 18))
        assert data, f"{left} bytes are missing"
        digest.update(data)
        left -= len(data)
    return digest.hexdigest()


def test_100_mb_each_way(site: Any) -> None:
    """The exchange has its two documents and one for each piece; what is too long to mask is withheld."""
    seen: list[str] = []

    def play(peer: socket.socket, request: bytes) -> None:
        seen.append(taken(peer, request.partition(b"\r\n\r\n")[2]))
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % LENGTH)
        seen.append(body(peer))

    site.target.play = play
    with site.agent() as agent:
        agent.sendall(
            f"POST /c/api/long HTTP/1.1\r\nHost: g\r\nX-Tacho-Key: {site.key}\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {LENGTH}\r\n\r\n".encode()
        )
        sent = body(agent)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += agent.recv(1 << 16)
        got = taken(agent, answer.partition(b"\r\n\r\n")[2])
    assert seen == [sent, got]
    request, response = site.told("/long")
    for document in (request, response):
        tacho = document["unmapped"]["tacho"]
        assert tacho["wire_body"]["length"] == LENGTH
        assert tacho["withheld"] == "body-too-large"
        assert tacho["wire_body"]["chunks"] >= LENGTH // PIECE
        whole = list(range(tacho["wire_body"]["chunks"]))
        site.eventually(lambda of=tacho, all_=whole: site.pieces(of["exchange"], of["direction"]) == all_)
    assert b"hunter" not in b"".join(site.topic(site.config.kafka.topics.masked))
    peaks = {name: site.peak_mb(name) for name in PEAK_MB}
    assert all(peaks[name] <= PEAK_MB[name] for name in PEAK_MB), peaks
