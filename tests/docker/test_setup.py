"""What exists before the containers start."""

from __future__ import annotations

import os
import re
import runpy
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from tachograph.cli.home import make_key_files

ROOT = Path(__file__).parents[2]
SETUP: dict[str, Any] = runpy.run_path(str(ROOT / "docker/setup.py"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two mounted volumes."""
    found = tmp_path / "certificates", tmp_path / "trust"
    for folder in found:
        folder.mkdir()
    return found


def test_the_nodes_certificate_is_vouched_for_and_names_the_service(folders: tuple[Path, Path]) -> None:
    """Signed by the authority that clients are given, valid for the name under which they connect."""
    assert SETUP["make_certificates"](*folders, NOW)
    certificates, trust = folders
    assert (trust / "ca.pem").read_bytes() == (certificates / "ca.pem").read_bytes()
    ca = x509.load_pem_x509_certificate((trust / "ca.pem").read_bytes())
    node = x509.load_pem_x509_certificate((certificates / "node.pem").read_bytes())
    node.verify_directly_issued_by(ca)
    names: Any = node.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert names.get_values_for_type(x509.DNSName) == ["opensearch", "localhost"]
    assert node.not_valid_before_utc < NOW < node.not_valid_after_utc
    assert "CN=opensearch" in (ROOT / "docker/opensearch.yml").read_text()
    ssl.create_default_context(cafile=str(trust / "ca.pem"))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
        certificates / "node.pem", certificates / "node.key"
    )


def test_the_private_key_is_private_and_the_authoritys_is_nowhere(folders: tuple[Path, Path]) -> None:
    """One private key is written, for the node, readable by its owner."""
    SETUP["make_certificates"](*folders, NOW)
    private = [path for folder in folders for path in folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert [path.name for path in private] == ["node.key"]
    assert stat.S_IMODE(private[0].stat().st_mode) == 0o400


def test_a_second_run_replaces_nothing(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Certificates and keys stay; what is half there is made anew as a whole."""
    SETUP["make_certificates"](*folders, NOW)
    before = (folders[0] / "node.pem").read_bytes()
    assert not SETUP["make_certificates"](*folders, NOW)
    assert (folders[0] / "node.pem").read_bytes() == before
    (folders[1] / "ca.pem").unlink()
    assert SETUP["make_certificates"](*folders, NOW)
    assert (folders[0] / "node.pem").read_bytes() != before
    keys = tmp_path / "keys"
    SETUP["make_keys"](keys)
    first = {path.name: path.read_bytes() for path in keys.iterdir()}
    SETUP["make_keys"](keys)
    assert {path.name: path.read_bytes() for path in keys.iterdir()} == first
    make_key_files(tmp_path / "home", randomness=os.urandom)
    assert set(first) == {path.name for path in (tmp_path / "home").iterdir()} | {"api-keys.yaml"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in keys.iterdir())


def test_the_security_files_are_whole_and_agree() -> None:
    """Each kind once; mapped users exist, roles are ours or the plugin's, none of our users can delete."""
    folder = ROOT / "docker/security"
    found = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yml")}
    assert {value["_meta"]["type"] for value in found.values()} == {
        "config", "roles", "rolesmapping", "actiongroups", "tenants", "nodesdn", "allowlist"
    }  # fmt: skip
    start = (ROOT / "docker/opensearch-start.sh").read_text()
    mapped = found["roles_mapping"]
    users = {user for name, role in mapped.items() if name != "_meta" for user in role.get("users", ())}
    assert all(f"\n{user}: {{hash:" in start for user in users | {"admin"})
    assert set(mapped) - {"_meta"} <= {"all_access", "kibana_server", "kibana_user", *found["roles"]}
    may = {
        name: [*role["cluster_permissions"], *role["index_permissions"][0]["allowed_actions"]]
        for name, role in found["roles"].items()
        if name != "_meta"
    }
    forbidden = [each for told in may.values() for each in told if re.search(r"delete|update|^\*", each)]
    assert forbidden == []
    assert all(each.startswith("indices:data/read/") for each in may["console"])
    assert found["config"]["config"]["dynamic"]["http"]["anonymous_auth_enabled"] is False
