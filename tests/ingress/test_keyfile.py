"""Key files as this room refuses them; what a key file must be is tested with the room that reads it."""

import base64
from pathlib import Path

import pytest

from tachograph.ingress.errors import KeysUnreadable
from tachograph.ingress.keyfile import KEY_BYTES, open_wrapper, read_key, read_signer
from tachograph.schemas.config import Configuration

KEY = bytes(range(KEY_BYTES))


def test_a_private_key_file_is_read(tmp_path: Path) -> None:
    """32 bytes in base64."""
    (tmp_path / "kek").write_bytes(base64.b64encode(KEY) + b"\n")
    (tmp_path / "kek").chmod(0o600)
    assert read_key(tmp_path / "kek") == KEY


def test_what_is_no_private_key_is_an_operators_error(tmp_path: Path) -> None:
    """Missing, shared, malformed: each with what was expected."""
    path = tmp_path / "kek"
    with pytest.raises(KeysUnreadable, match="kek: No such file"):
        read_key(path)
    path.write_bytes(base64.b64encode(KEY))
    path.chmod(0o644)
    with pytest.raises(KeysUnreadable, match="chmod 600"):
        read_key(path)
    path.chmod(0o600)
    path.write_bytes(KEY)
    with pytest.raises(KeysUnreadable, match="expected 32 random bytes in base64"):
        read_key(path)


def test_without_a_signing_key_nobody_signs(tmp_path: Path) -> None:
    """A missing one turns heartbeats off; one that is there and malformed stops the start."""
    config = Configuration()
    assert read_signer(config, base=tmp_path) is None
    path = tmp_path / config.keys.signing_file
    path.parent.mkdir()
    path.write_bytes(base64.b64encode(KEY))
    path.chmod(0o600)
    signer = read_signer(config, base=tmp_path)
    assert signer is not None
    assert signer.key.name == "tachograph/tacho/gateway"
    path.write_bytes(b"no key")
    with pytest.raises(KeysUnreadable):
        read_signer(config, base=tmp_path)


def test_what_wraps_data_keys_is_refused_by_what_is_wrong(tmp_path: Path) -> None:
    """A key file that is missing; a file of authorities that Vault's certificate cannot be judged by."""
    with pytest.raises(KeysUnreadable, match="kek"):
        open_wrapper(Configuration(), base=tmp_path)
    auth = {"method": "token", "secret": {"env": "T"}}
    vault = {"address": "https://vault.test", "ca_file": "gone.pem", "auth": auth}
    keys = {"kek_provider": "vault_transit", "transit": {"key": "raw"}}
    config = Configuration.model_validate({"keys": keys, "credentials": {"vault": vault}})
    with pytest.raises(KeysUnreadable, match="ca_file"):
        open_wrapper(config, base=tmp_path)
