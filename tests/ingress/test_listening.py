"""Sockets to serve on."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tachograph.ingress.errors import KeysUnreadable, ListenFailed
from tachograph.ingress.listening import bind, join, server_context, url
from tachograph.schemas.agent_listen import ListenTls
from tachograph.schemas.config import Listen


@pytest.mark.parametrize("shared", [True, False])
def test_a_port_in_use_is_refused(shared: bool) -> None:
    """Even where our own workers share a port, nobody else's is taken over."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenFailed, match=f"127.0.0.1:{port}: .*free the port"):
            bind(Listen(port=port), shared=shared)


def test_workers_share_a_port() -> None:
    """Each worker listens on its own socket for the same port, chosen by the system if it is 0."""
    with bind(Listen(port=0), shared=True) as first:
        host, port = first.getsockname()
        with join(host, port) as second, join(host, port) as third:
            second.listen()
            third.listen()
            assert second.getsockname() == third.getsockname() == (host, port)


def test_unknown_host_is_refused() -> None:
    """A name without an address is said to be one."""
    with pytest.raises(ListenFailed, match=r"nowhere\.invalid"):
        bind(Listen(host="nowhere.invalid", port=0), shared=False)


def test_url() -> None:
    """What `ready` prints can be opened."""
    with bind(Listen(host="0.0.0.0", port=0), shared=False) as sock:
        assert url(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"
    with bind(Listen(host="::1", port=0), shared=False) as sock:
        assert url(sock) == f"http://[::1]:{sock.getsockname()[1]}"


def test_no_tls_is_none_and_a_broken_file_is_said_to_be_one(tmp_path: Path) -> None:
    """By the names in the configuration; agents with certificates are in `end_to_end/test_mutual_tls.py`."""
    assert server_context(None, base=tmp_path) is None
    with pytest.raises(KeysUnreadable, match=r"gateway\.crt, gateway\.key"):
        server_context(ListenTls(cert_file="gateway.crt", key_file="gateway.key"), base=tmp_path)
