"""Data keys wrapped in Vault, from the gateway to the index, through an outage and a move; real engines."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tachograph.cli.main import app
from tachograph.processors.keyfile import open_keys
from tachograph.schemas.document import load_configuration
from tachograph.schemas.keys import WrappedKey

pytestmark = pytest.mark.engines

_server = importlib.util.spec_from_file_location(
    "vault_server", Path(__file__).parents[1] / "credentials" / "conftest.py"
)
assert _server is not None
assert _server.loader is not None
_module = importlib.util.module_from_spec(_server)
sys.modules[_server.name] = _module
_server.loader.exec_module(_module)
bao = _module.bao


def keks(site: Any) -> set[str]:
    """What wraps the data keys on the topic, as they are now."""
    newest = {
        key.strand: key.kek for key in map(WrappedKey.decode, site.topic(site.config.kafka.topics.keys))
    }
    return set(newest.values())


def rewrap(folder: Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["keys", "rewrap", "--json", "--config", str(folder / "tacho.yaml")])
    assert done.exit_code == 0, (done.output, done.exception)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_key_in_vault_wraps_what_is_recorded(
    stack: Any,
    bao: Any,
    open_site: Callable[..., AbstractContextManager[Any]],
    answer: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """While Vault is away open sessions go on, none begins and nothing is forwarded; then all keys move."""
    name = f"raw-{uuid.uuid4().hex[:12]}"
    bao.call("POST", f"transit/keys/{name}", {})
    rules = "".join(
        f'path "transit/{operation}/{name}" {{ capabilities = ["update"] }} '
        for operation in ("encrypt", "decrypt")
    )
    bao.call("PUT", f"sys/policies/acl/{name}", {"policy": rules})
    token = bao.call("POST", "auth/token/create", {"policies": [name]})["auth"]["client_token"]
    (tmp_path / "token").touch(0o600)
    (tmp_path / "token").write_text(token)
    settings = {
        "keys": {"kek_provider": "vault_transit", "transit": {"key": name}},
        "credentials": {
            "vault": {
                "address": bao.address,
                "ca_file": str(bao.ca_file),
                "auth": {"method": "token", "secret": {"file": "token"}},
            }
        },
    }
    reached: list[bytes] = []
    lock = threading.Lock()

    def play(peer: Any, request: bytes) -> None:
        with lock:
            reached.append(request.split(b" ", 2)[1])
        answer(b"{}")(peer, request)

    with open_site(tmp_path, stack, settings) as site:
        site.target.play = play
        assert status(site.ask("/c/api/first")) == 200
        site.told("/first")
        assert keks(site) == {f"vault:transit/{name}:v1"}
        bao.call("PUT", "sys/seal")
        try:
            assert status(site.ask("/c/api/goes-on")) == 200
            refused = site.ask("/c/api/none-begins", head="X-Tacho-Session: another\r\n")
            assert status(refused) == 503
            assert b"Retry-After: 5" in refused
            assert b"no data key can be wrapped" in refused
        finally:
            bao.call("PUT", "sys/unseal", {"key": bao.unseal_key})
        site.eventually(lambda: status(site.ask("/c/api/later", head="X-Tacho-Session: another\r\n")) == 200)
        assert b"/none-begins" not in reached
        for path in ("/goes-on", "/later"):
            site.told(path)
        _moves(site, bao, name, tmp_path)


def _moves(site: Any, bao: Any, name: str, folder: Path) -> None:
    """To the key's next version, then to the key file; each opens what the one before has wrapped."""
    bao.call("POST", f"transit/keys/{name}/rotate", {})
    first = rewrap(folder)
    assert (first["kek"], first["unknown"]) == (f"vault:transit/{name}:v2", 0)
    assert first["rewrapped"] >= 2
    assert keks(site) == {first["kek"]}
    assert rewrap(folder)["rewrapped"] == 0
    file = folder / "tacho.yaml"
    written = yaml.safe_load(file.read_text())
    written["keys"]["kek_provider"] = "file"
    file.write_text(yaml.safe_dump(written))
    second = rewrap(folder)
    assert (second["rewrapped"], second["unknown"]) == (first["current"], 0)
    assert keks(site) == {second["kek"]}
    alone = load_configuration(file.read_text(), file=str(file)).model_copy(
        update={"keys": site.config.keys.model_copy(update={"kek_provider": "file", "transit": None})}
    )
    with closing(open_keys(alone, base=folder)) as ring:
        for value in site.topic(site.config.kafka.topics.keys):
            key = WrappedKey.decode(value)
            if key.kek == second["kek"]:
                assert len(ring.data_key(key)) == 32
