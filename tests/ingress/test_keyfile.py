"""Key files as this room refuses them; what a key file must be is tested with the room that reads it."""

import base64
from pathlib import Path

import pytest

from tachograph.ingress.errors import KeysUnreadable
from tachograph.ingress.keyfile import KEY_BYTES, read_key

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
