"""A desk with its pen and its tail, opened and closed as one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tachograph.ingress.approval.opening import open_desk
from tachograph.ingress.errors import KeysUnreadable
from tachograph.schemas.config import Configuration
from tachograph.schemas.keys import KeyEncryptionKey

KEK = KeyEncryptionKey(bytes(32))


async def test_without_its_key_no_desk_opens(tmp_path: Path) -> None:
    """The error names the file and what is expected in it."""
    with pytest.raises(KeysUnreadable, match="approvals"):
        async with open_desk(Configuration(), base=tmp_path, kek=KEK):
            pass


async def test_it_opens_while_kafka_is_down_and_leaves_no_thread(tmp_path: Path) -> None:
    """Requests that need nobody must pass meanwhile; at the end the tail's thread is gone."""
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "approvals").touch(0o600)
    (tmp_path / "keys" / "approvals").write_text("A" * 43 + "=")
    config = Configuration.model_validate({"kafka": {"bootstrap_servers": "127.0.0.1:9"}})
    async with open_desk(config, base=tmp_path, kek=KEK) as desk:
        assert desk.waiting == 0
        assert "tacho-approvals" in {thread.name for thread in threading.enumerate()}
    assert "tacho-approvals" not in {thread.name for thread in threading.enumerate()}
