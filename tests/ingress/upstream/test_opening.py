"""A connection's settings become a pool."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tachograph.credentials.opening import keeper_of
from tachograph.ingress.credentials import CredentialStore
from tachograph.ingress.errors import KeysUnreadable
from tachograph.ingress.upstream.opening import open_pool
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import Connection


async def test_a_pool_goes_where_the_connection_says(tmp_path: Path) -> None:
    """Nothing is connected yet; files of TLS that cannot be read are told at once."""
    store = CredentialStore((), keeper_of(Configuration(), base=tmp_path))
    loop = asyncio.get_running_loop()
    connection = Connection(name="a", protocol="http", upstream="https://api.example.com:8443/v1")
    pool = open_pool(connection, store, base=tmp_path, loop=loop)
    assert (pool.target.host, pool.target.port, pool.open) == ("api.example.com", 8443, 0)
    bad = Connection.model_validate(
        {"name": "a", "protocol": "http", "upstream": "https://x", "tls": {"ca_file": "none.pem"}}
    )
    with pytest.raises(KeysUnreadable):
        open_pool(bad, store, base=tmp_path, loop=loop)
