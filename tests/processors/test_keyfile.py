"""Key files: read, or refused with what to do, and never shown."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tachograph.processors.errors import OperatorError
from tachograph.processors.keyfile import open_keys, open_wrapper, read_key
from tachograph.schemas.config import Configuration, Keys
from tachograph.schemas.keys import KeyEncryptionKey

KEY = bytes(range(32))


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_key_reads_back(tmp_path: Path) -> None:
    """Base64 of 32 bytes, a line end allowed."""
    assert read_key(write(tmp_path / "kek", base64.b64encode(KEY).decode() + "\n")) == KEY


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """The message says how to close it."""
    with pytest.raises(OperatorError, match="chmod 600"):
        read_key(write(tmp_path / "kek", base64.b64encode(KEY).decode(), 0o640))


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(KEY[:16]).decode()])
def test_anything_else_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    """The error names the file and what was expected, and holds nothing of the content."""
    with pytest.raises(OperatorError, match="expected 32 random bytes in base64") as caught:
        read_key(write(tmp_path / "kek", text))
    assert not text or text not in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    """An operator learns the command."""
    with pytest.raises(OperatorError, match="tacho up"):
        read_key(tmp_path / "none")


def test_what_opens_data_keys_follows_from_the_configuration(tmp_path: Path) -> None:
    """The current key and as many earlier ones as are named; each has to be there."""
    write(tmp_path / "new", base64.b64encode(KEY).decode())
    write(tmp_path / "old", base64.b64encode(bytes(32)).decode())

    def config(**keys: Any) -> Configuration:
        return Configuration(keys=Keys(kek_file="new", **keys))

    wrapped = KeyEncryptionKey(bytes(32)).wrap("s/e", b"d" * 32)
    ring = open_keys(config(kek_previous=("old",)), base=tmp_path)
    ring.unwrap(wrapped)
    assert (ring.current(), ring.rewrap(wrapped).kek) == (KeyEncryptionKey(KEY).id, ring.current())
    assert open_wrapper(config(), base=tmp_path).current() == ring.current()
    with pytest.raises(OperatorError, match="gone"):
        open_keys(config(kek_previous=("gone",)), base=tmp_path)
    with pytest.raises(OperatorError, match="gone"):
        open_wrapper(Configuration(keys=Keys(kek_file="gone")), base=tmp_path)
