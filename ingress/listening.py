"""Sockets to serve on: bound once, refused clearly, shared among workers where there are several."""

from __future__ import annotations

import socket

from tachograph.ingress.errors import ListenFailed
from tachograph.schemas.config import Listen

__all__ = ["bind", "join", "url"]


def bind(listen: Listen, *, shared: bool) -> socket.socket:
    """A bound, not yet listening TCP socket; `shared` lets other processes of ours bind the same port.

    A port that anybody else serves on is refused even then: a first bind without sharing finds out.
    """
    port = listen.port
    try:
        if shared:
            with _socket(listen.host, port, shared=False) as probe:
                port = probe.getsockname()[1]
        return _socket(listen.host, port, shared=shared)
    except OSError as error:
        raise ListenFailed(
            f"cannot listen on {listen.host}:{listen.port}: {error.strerror or 'address not known'}; "
            "free the port or set another one"
        ) from None


def join(host: str, port: int) -> socket.socket:
    """One more socket for a port that `bind` holds as shared."""
    return _socket(host, port, shared=True)


def url(sock: socket.socket) -> str:
    """Where clients reach a bound socket; an unspecified address is shown as loopback."""
    host, port = sock.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - shown, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _socket(host: str, port: int, *, shared: bool) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
