"""Sockets to serve on: bound once, refused clearly, shared among workers where there are several."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from tachograph.ingress.errors import KeysUnreadable, ListenFailed
from tachograph.schemas.agent_listen import ListenTls
from tachograph.schemas.config import Listen

__all__ = ["bind", "join", "server_context", "url"]


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


def server_context(tls: ListenTls | None, *, base: Path) -> ssl.SSLContext | None:
    """How agents are served over TLS, None for not at all; paths are relative to `base`."""
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(base / tls.cert_file, base / tls.key_file)
        if tls.client_ca_file is not None:
            context.load_verify_locations(base / tls.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED if tls.client_required else ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (tls.cert_file, tls.key_file, tls.client_ca_file)))
        raise KeysUnreadable(
            f"ingress.listen.tls: expected readable PEM files, cannot use {files}"
        ) from error
    return context


def url(sock: socket.socket, scheme: str = "http") -> str:
    """Where clients reach a bound socket; an unspecified address is shown as loopback."""
    host, port = sock.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - shown, not bound
    return f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"


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
