"""Streaming is streaming through the whole gateway, real identity, real spool and real Kafka included."""

import socket
import time
from typing import Any

import pytest

pytestmark = pytest.mark.engines

EVENTS = 20
EVERY = 0.1
WITHIN = 0.020
RUNS = 20
"""A busy machine is late now and then; a gateway that holds an event back is late with it in every run."""


def lateness(site: Any) -> list[float]:
    """Seconds from an event's leaving the target to its reaching the agent, for each."""

    def play(peer: socket.socket, _: bytes) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        start = time.monotonic()
        for number in range(EVENTS):
            time.sleep(max(0.0, start + number * EVERY - time.monotonic()))
            event = f"data: {time.monotonic():.6f}\n\n".encode()
            peer.sendall(b"%x\r\n%s\r\n" % (len(event), event))
        peer.sendall(b"0\r\n\r\n")

    site.target.play = play
    late, pending = [], b""
    with site.agent() as agent:
        agent.sendall(f"GET /c/model/stream HTTP/1.1\r\nHost: g\r\nX-Tacho-Key: {site.key}\r\n\r\n".encode())
        while b"0\r\n\r\n" not in pending:
            data = agent.recv(1 << 16)
            assert data, "the stream ended early"
            now, pending = time.monotonic(), pending + data
            while b"\n\n\r\n" in pending:
                event, _, pending = pending.partition(b"\n\n\r\n")
                late.append(now - float(event.rpartition(b"data: ")[2]))
    return late


def test_each_event_arrives_within_20_ms(site: Any) -> None:
    """A target that sends an event every 100 ms is heard event by event while all of it is recorded."""
    least = [float("inf")] * EVENTS
    for _ in range(RUNS):
        least = [min(pair) for pair in zip(least, lateness(site), strict=True)]
        if max(least) <= WITHIN:
            return
    pytest.fail(
        f"of {RUNS} runs, each event was at least so many ms late: {[f'{s * 1000:.1f}' for s in least]}"
    )
