"""The registry on disk."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.registry.copy_file import CopyFile
from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.control import ControlBook, ControlKey, Release

KEY = ControlKey(b"k" * 32)
RELEASE = Release(version=1, digest=sha256_hex(b"{}"), at="2026-01-01T00:00:00.000000000Z", by="x")


@given(st.data())
def test_a_damaged_copy_puts_nothing_in_force(tmp_path_factory: object, data: st.DataObject) -> None:
    """Whichever byte was changed, or wherever it was cut."""
    path = Path(tmp_path_factory.mktemp("copy")) / "copy"  # type: ignore[attr-defined]
    copy = CopyFile(path, KEY)
    copy.write(RELEASE, b"{}")
    good = path.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    path.write_bytes(good[:place] + data.draw(st.binary(max_size=1)) + good[place + 1 :])
    book = ControlBook(KEY)
    copy.read_into(book)
    assert book.current in (None, RELEASE)
    assert (book.current is None) or book.snapshot(RELEASE.digest) == b"{}"


def test_a_disk_that_takes_nothing_harms_nobody(tmp_path: Path) -> None:
    """The folder is not there."""
    CopyFile(tmp_path / "none" / "copy", KEY).write(RELEASE, b"{}")
    assert not (tmp_path / "none").exists()
