"""Which provider wraps and which ones open follows from the configuration; nobody is asked for it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tachograph.credentials.data_keys import ring_of, wrapper_of
from tachograph.credentials.errors import KeyUnreadable
from tachograph.schemas.config import Configuration
from tachograph.schemas.keys import KeyEncryptionKey

NOW, OLD = b"n" * 32, b"o" * 32
VAULT = {"vault": {"address": "https://vault.test", "auth": {"method": "token", "secret": {"env": "T"}}}}
TRANSIT = {"transit": {"key": "raw"}}


def config(**keys: Any) -> Configuration:
    return Configuration.model_validate({"keys": {"kek_file": "now"} | keys, "credentials": VAULT})


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name, key in (("now", NOW), ("old", OLD)):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(base64.b64encode(key).decode())
    return tmp_path


def test_a_key_file_wraps_by_default(base: Path) -> None:
    """The current one; the earlier ones, and a key in Vault that is named, open."""
    assert wrapper_of(config(), base=base).current() == KeyEncryptionKey(NOW).id
    ring = ring_of(config(kek_previous=["old"]), base=base)
    assert ring.local
    assert ring.current() == KeyEncryptionKey(NOW).id
    assert ring.holds(KeyEncryptionKey(OLD).id)
    moved = ring_of(config(**TRANSIT), base=base)
    assert moved.current() == KeyEncryptionKey(NOW).id
    assert moved.holds("vault:transit/raw:v3")
    assert not moved.local
    moved.close()


def test_vault_wraps_where_it_is_told_to(base: Path) -> None:
    """`kek_file` opens nothing then, and need not be there; what was wrapped by it before is named."""
    settings = config(kek_provider="vault_transit", kek_file="gone", **TRANSIT)
    wrapper, ring = wrapper_of(settings, base=base), ring_of(settings, base=base)
    assert not wrapper.local
    assert ring.holds("vault:transit/raw:v1")
    assert not ring.holds(KeyEncryptionKey(NOW).id)
    again = ring_of(config(kek_provider="vault_transit", kek_previous=["now"], **TRANSIT), base=base)
    assert again.holds(KeyEncryptionKey(NOW).id)
    for each in (wrapper, ring, again):
        each.close()


def test_a_missing_key_file_is_said(base: Path) -> None:
    """The current one and each of the earlier ones."""
    with pytest.raises(KeyUnreadable, match="gone"):
        wrapper_of(config(kek_file="gone"), base=base)
    with pytest.raises(KeyUnreadable, match="gone"):
        ring_of(config(kek_previous=["gone"]), base=base)
