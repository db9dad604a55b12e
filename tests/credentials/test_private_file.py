"""Files of secrets as they must be, and as they must not."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tachograph.credentials import private_file
from tachograph.credentials.errors import KeyUnreadable, SecretUnreadable
from tachograph.credentials.private_file import KEY_BYTES, READ_TRIES, read_key, read_private, replace, stamp

KEY = bytes(range(KEY_BYTES))


def write(path: Path, content: bytes = b"s3cret", mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_private_file_is_read_whole(tmp_path: Path) -> None:
    """Byte for byte."""
    assert read_private(write(tmp_path / "f", b"a\0\xff\n"), limit=4) == b"a\0\xff\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o602])
def test_what_others_can_get_at_is_refused(tmp_path: Path, mode: int) -> None:
    """The refusal says what to run."""
    with pytest.raises(SecretUnreadable, match=f"mode {mode:04o} lets others at it; run `chmod 600"):
        read_private(write(tmp_path / "f", mode=mode), limit=100)


def test_a_mounted_token_may_be_read_by_others_but_not_written(tmp_path: Path) -> None:
    """The platform mounts it so that every process of the pod can read it."""
    path = write(tmp_path / "f", mode=0o644)
    assert read_private(path, limit=100, shared=True) == b"s3cret"
    path.chmod(0o666)
    with pytest.raises(SecretUnreadable, match="lets others at it"):
        read_private(path, limit=100, shared=True)


def test_a_link_is_followed_and_its_target_judged(tmp_path: Path) -> None:
    """Mounted secrets are rotated by moving a link; a link to a shared file is no way around the rule."""
    link = tmp_path / "link"
    link.symlink_to(write(tmp_path / "f"))
    assert read_private(link, limit=100) == b"s3cret"
    (tmp_path / "f").chmod(0o644)
    with pytest.raises(SecretUnreadable, match="lets others at it"):
        read_private(link, limit=100)


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    """As the system says it."""
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(SecretUnreadable, match="symbolic links"):
        read_private(tmp_path / "a", limit=100)


def test_only_a_regular_file_is_one(tmp_path: Path) -> None:
    """A pipe would make the reader wait, a device has no end."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(SecretUnreadable, match=r"regular file|Is a directory"):
            read_private(path, limit=100)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Its owner can change it at any time."""
    path = write(tmp_path / "f")
    os.chown(path, 12345, -1)
    with pytest.raises(SecretUnreadable, match="owned by uid 12345"):
        read_private(path, limit=100)


def test_a_file_that_is_too_long_is_not_read_to_its_end(tmp_path: Path) -> None:
    """One byte more than the limit is enough to know."""
    path = write(tmp_path / "f", b"")
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(SecretUnreadable, match="at most 100 bytes"):
        read_private(path, limit=100)


class Changing:
    """`os.fstat` that writes into the file between its two looks, so many times."""

    def __init__(self, path: Path, times: int) -> None:
        self.path = path
        self.calls = 0
        self.times = times
        self.real: Callable[[int], os.stat_result] = os.fstat

    def __call__(self, number: int) -> os.stat_result:
        self.calls += 1
        if self.calls % 2 == 0 and self.calls <= 2 * self.times:
            with self.path.open("ab") as file:
                file.write(b"+")
        return self.real(number)


def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the old value and half of the new one is no value."""
    path = write(tmp_path / "f")
    monkeypatch.setattr(private_file.os, "fstat", Changing(path, READ_TRIES - 1))
    assert read_private(path, limit=100) == b"s3cret" + b"+" * (READ_TRIES - 1)


def test_a_file_that_never_rests_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded number of tries."""
    path = write(tmp_path / "f")
    monkeypatch.setattr(private_file.os, "fstat", Changing(path, READ_TRIES))
    with pytest.raises(SecretUnreadable, match="changes while it is read"):
        read_private(path, limit=100)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_key_is_32_bytes_in_base64(tmp_path: Path, end: bytes) -> None:
    """Whatever the line's end."""
    assert read_key(write(tmp_path / "k", base64.b64encode(KEY) + end)) == KEY


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"not base64!", base64.b64encode(KEY[:31]), base64.b64encode(KEY + KEY), KEY],
    ids=["empty", "binary", "text", "short", "long", "raw"],
)
def test_a_malformed_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    """What was expected is said, what came is not."""
    with pytest.raises(KeyUnreadable, match="expected 32 random bytes in base64") as refusal:
        read_key(write(tmp_path / "k", content))
    assert content.decode("latin-1") not in str(refusal.value) or not content


def test_a_key_is_as_private_as_a_secret(tmp_path: Path) -> None:
    """Missing or shared, the path is named."""
    with pytest.raises(KeyUnreadable, match="gone: No such file"):
        read_key(tmp_path / "gone")
    with pytest.raises(KeyUnreadable, match="chmod 600"):
        read_key(write(tmp_path / "k", base64.b64encode(KEY), 0o644))


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A new inode of mode 0600; who reads has the old one or the new one, and nothing is left beside it."""
    path = write(tmp_path / "f", mode=0o644)
    before = stamp(path)
    with path.open("rb") as old:
        replace(path, b"new")
        assert old.read() == b"s3cret"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert stamp(path) != before
    assert list(tmp_path.iterdir()) == [path]


def test_a_replacement_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else."""
    path = write(tmp_path / "f")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_file.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace(path, b"new")
    assert path.read_bytes() == b"s3cret"
    assert list(tmp_path.iterdir()) == [path]


def test_a_replacement_writes_through_no_link(tmp_path: Path) -> None:
    """A link laid under the working name leads nowhere."""
    victim = write(tmp_path / "victim")
    (tmp_path / f".f.{os.getpid()}.part").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        replace(tmp_path / "f", b"new")
    assert victim.read_bytes() == b"s3cret"


def test_a_file_that_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    """It differs from every other."""
    assert stamp(tmp_path / "gone") is None
