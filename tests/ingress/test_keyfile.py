"""Key files as they must be, and as they must not."""

import base64
from pathlib import Path

import pytest

from tachograph.ingress.errors import KeysUnreadable
from tachograph.ingress.keyfile import KEY_BYTES, check_private, read_key

KEY = bytes(range(KEY_BYTES))


def write(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_private_key_file_is_read(tmp_path: Path, end: bytes) -> None:
    """32 bytes in base64, whatever the line's end."""
    assert read_key(write(tmp_path / "kek", base64.b64encode(KEY) + end)) == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_key_that_others_can_get_at_is_refused(tmp_path: Path, mode: int) -> None:
    """The refusal says what to run."""
    with pytest.raises(KeysUnreadable, match="chmod 600"):
        read_key(write(tmp_path / "kek", base64.b64encode(KEY), mode))


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"not base64!", base64.b64encode(KEY[:31]), base64.b64encode(KEY + KEY), KEY],
    ids=["empty", "binary", "text", "short", "long", "raw"],
)
def test_a_malformed_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    """What was expected is said, what came is not."""
    with pytest.raises(KeysUnreadable, match="expected 32 bytes in base64") as refusal:
        read_key(write(tmp_path / "kek", content))
    assert content.decode("latin-1") not in str(refusal.value) or not content


def test_a_missing_key_is_refused(tmp_path: Path) -> None:
    """The path is named."""
    with pytest.raises(KeysUnreadable, match="kek: No such file"):
        read_key(tmp_path / "kek")


def test_a_directory_is_no_key(tmp_path: Path) -> None:
    """Only regular files hold secrets."""
    with pytest.raises(KeysUnreadable, match="regular file"):
        check_private(tmp_path, tmp_path.stat())
