"""From a configuration to its keeper."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tachograph.credentials.errors import SecretUnreadable
from tachograph.credentials.opening import Local, keeper_of, kept, sources_of, store_of
from tachograph.schemas.config import Configuration
from tachograph.schemas.secret_source import CredentialSources, SecretSource, VaultSecret

VAULT = {"address": "http://127.0.0.1:9", "auth": {"secret": {"env": "T"}}}


def config(*sources: dict[str, Any], **credentials: Any) -> Configuration:
    connections = [
        {
            "name": f"c{number}",
            "protocol": "http",
            "upstream": "http://u",
            "credential": {"source": source},
        }
        for number, source in enumerate(sources)
    ]
    bare = {"name": "bare", "protocol": "http", "upstream": "http://u"}
    return Configuration.model_validate({"connections": [*connections, bare], "credentials": credentials})


def test_every_place_on_this_machine_is_read(tmp_path: Path) -> None:
    """Variable, file and store entry, each by its own provider."""
    (tmp_path / "f").write_text("from file")
    (tmp_path / "f").chmod(0o600)
    told = config({"env": "E"}, {"file": "f"}, {"store": "s"})
    store_of(told.credentials, base=tmp_path).add(
        "s", "from-store", now="2026-01-01T00:00:00Z", randomness=lambda size: b"r" * size
    )
    with kept(keeper_of(told, base=tmp_path, environ={"E": "from-env"})) as keeper:
        values = [keeper.value(source) for _, source in sources_of(told)]
    assert values == ["from-env", "from file", "from-store"]
    assert [name for name, _ in sources_of(told)] == ["c0", "c1", "c2"]


def test_a_secret_in_vault_is_asked_for_there(tmp_path: Path) -> None:
    """A Vault that does not answer delays the start by its time-outs only."""
    told = config({"vault": {"path": "p"}}, vault=VAULT)
    with (
        kept(keeper_of(told, base=tmp_path, environ={"T": "t"})) as keeper,
        pytest.raises(SecretUnreadable, match="cannot be reached"),
    ):
        keeper.value(SecretSource(vault=VaultSecret(path="p")))


def test_vault_is_not_opened_where_nothing_lies_there(tmp_path: Path) -> None:
    """Not even a CA file of it is read."""
    told = config({"env": "E"}, vault=VAULT | {"ca_file": "gone.pem"})
    assert keeper_of(told, base=tmp_path, environ={"E": "x"}).value(SecretSource(env="E")) == "x"


def test_what_lies_elsewhere_is_not_local(tmp_path: Path) -> None:
    """A local reader does not pretend."""
    local = Local(CredentialSources(), base=tmp_path)
    with pytest.raises(SecretUnreadable, match="got one in Vault"):
        local.read(SecretSource(vault=VaultSecret(path="p")))


def test_a_rotation_in_a_real_vault_reaches_the_masker_before_it_is_in_use(bao: Any, tmp_path: Path) -> None:
    """Both threads ask a server; within `refresh_seconds` the new value is in use, without a restart."""
    path = f"team/{uuid.uuid4()}"
    bao.call("POST", f"secret/data/{path}", {"data": {"value": "first-value"}})
    vault = {
        "address": bao.address,
        "ca_file": str(bao.ca_file),
        "auth": {"secret": {"env": "T"}},
        "refresh_seconds": 9,
    }
    told = config({"vault": {"path": path}}, vault=vault)
    ((_, source),) = sources_of(told)
    with (
        kept(keeper_of(told, base=tmp_path, environ={"T": "root"}, cautious=True)) as ingress,
        kept(keeper_of(told, base=tmp_path, environ={"T": "root"})) as masker,
    ):
        assert ingress.value(source) == "first-value"
        bao.call("POST", f"secret/data/{path}", {"data": {"value": "second-value"}})
        until = time.monotonic() + 60  # nine seconds on an idle machine, three of them in hand on a busy one
        while ingress.value(source) == "first-value" and time.monotonic() < until:
            time.sleep(0.01)
        assert masker.values()[source] == {"first-value", "second-value"}
        assert ingress.value(source) == "second-value"
