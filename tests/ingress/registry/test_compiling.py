"""A registry becomes what exchanges go by, or nothing of it does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tachograph.credentials.opening import keeper_of
from tachograph.ingress.errors import RegistryUnusable
from tachograph.ingress.registry.compiling import Compiler
from tachograph.schemas.config import Configuration
from tachograph.schemas.registry import Registry

POLICY = {"file": "p.cedar", "text": '@id("all") permit(principal, action, resource);'}
API = {"name": "api", "protocol": "http", "upstream": "http://127.0.0.1:1"}
TOOLS = {"name": "tools", "protocol": "mcp", "upstream": "http://127.0.0.1:2"}


def registry(**fields: Any) -> Registry:
    return Registry.model_validate({"connections": [API, TOOLS], **fields})


@pytest.fixture
def compiler(tmp_path: Path) -> Compiler:
    config = Configuration()
    loop = asyncio.new_event_loop()
    loop.close()
    return Compiler(config, base=tmp_path, keeper=keeper_of(config, base=tmp_path), loop=loop)


def test_all_of_it_is_compiled(compiler: Compiler) -> None:
    """Routes, pools, judge, contact, and the name that records carry."""
    made = compiler.compile(registry(policies=[POLICY], contact="team"), "0123456789abcdef" * 4)
    assert sorted(made.pools) == ["api", "tools"]
    found = made.routes.find("/c/api/x", "h").connection
    assert found is not None
    assert made.judge is not None
    assert not made.judge.reads_body(found)
    assert (made.contact, made.registry) == ("team", "0123456789abcdef")
    assert compiler.compile(registry(), None).registry is None


def test_what_did_not_change_is_kept(compiler: Compiler) -> None:
    """A pool with its open connections, and the judge with what it remembers."""
    one = compiler.compile(registry(policies=[POLICY]), None)
    moved = {**API, "upstream": "http://127.0.0.1:3"}
    two = compiler.compile(registry(policies=[POLICY], masking={"headers": ["x"]}), None)
    three = compiler.compile(registry(connections=[moved, {**TOOLS, "labels": {"owner": "x"}}]), None)
    assert two.judge is one.judge
    assert dict(two.pools) == dict(one.pools)
    assert three.pools["api"] is not one.pools["api"]
    assert three.pools["tools"] is one.pools["tools"]
    assert three.judge is None


@pytest.mark.parametrize(
    "bad",
    [
        {"policies": [{"file": "p.cedar", "text": "permit("}]},
        {"connections": [{**API, "upstream": "https://x", "tls": {"ca_file": "missing.pem"}}]},
        {"connections": [{**API, "credential": {"source": {"vault": {"path": "x"}}}}]},
    ],
)
def test_what_cannot_be_used_changes_nothing(compiler: Compiler, bad: dict[str, Any]) -> None:
    """The one before is whole, and is what the next is compared with."""
    one = compiler.compile(registry(policies=[POLICY]), None)
    with pytest.raises(RegistryUnusable):
        compiler.compile(registry(**bad), None)
    again = compiler.compile(registry(policies=[POLICY]), None)
    assert again.judge is one.judge
    assert dict(again.pools) == dict(one.pools)


def test_a_new_connection_brings_its_credential(compiler: Compiler, tmp_path: Path) -> None:
    """The keeper learns where it lies."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("value-of-the-credential")
    made = compiler.compile(
        registry(connections=[{**API, "credential": {"source": {"file": "secret"}}}]), None
    )
    connection = made.routes.find("/c/api/", "h").connection
    assert connection is not None
    taken = made.credentials.take(connection)
    assert made.credentials.inject(connection, "/", (), taken)[1] == (
        ("authorization", "Bearer value-of-the-credential"),
    )
