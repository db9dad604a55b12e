"""Key files: read, or refused with what to do, and never shown."""

import base64
from pathlib import Path

import pytest

from tachograph.processors.errors import OperatorError
from tachograph.processors.keyfile import read_kek, read_key
from tachograph.schemas.config import Keys
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


def test_the_key_of_keys_opens_what_earlier_ones_wrapped(tmp_path: Path) -> None:
    """As many as are named; each has to be there."""
    write(tmp_path / "new", base64.b64encode(KEY).decode())
    write(tmp_path / "old", base64.b64encode(bytes(32)).decode())
    wrapped = KeyEncryptionKey(bytes(32)).wrap("s/e", b"d" * 32)
    kek = read_kek(Keys(kek_file="new", kek_previous=("old",)), base=tmp_path)
    kek.unwrap(wrapped)
    assert (kek.current(), kek.rewrap(wrapped).kek) == (KeyEncryptionKey(KEY).id, kek.current())
    with pytest.raises(OperatorError, match="gone"):
        read_kek(Keys(kek_file="new", kek_previous=("gone",)), base=tmp_path)
