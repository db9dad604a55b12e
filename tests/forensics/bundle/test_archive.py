"""The archive: what is packed comes back, ordinary tools open it, and no other form is taken."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.bundle.archive import ArchiveRefused, numbered, pack, unpack

NAMES = st.sampled_from(
    [
        "manifest.json",
        "manifest.note",
        "keys.json",
        "leaves.jsonl",
        *(numbered("records", n, "json") for n in range(5)),
    ]
)


@given(st.dictionaries(NAMES, st.binary(max_size=64)))
def test_what_is_packed_comes_back(files: dict[str, bytes]) -> None:
    """The same names and bytes, and packing those gives the same archive."""
    data = pack(files)
    assert unpack(data) == files
    assert pack(unpack(data)) == data


def test_ordinary_tools_open_it() -> None:
    """It is a ZIP like any other."""
    with zipfile.ZipFile(io.BytesIO(pack({"keys.json": b"{}", "manifest.json": b"1"}))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.json", "keys.json"]


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    """Never another exception, whatever the bytes are."""
    with pytest.raises(ArchiveRefused):
        unpack(b"PK\x03\x04" + data)


def test_a_zip_of_another_writer_is_refused() -> None:
    """The one form is ours: dates and flags are places to hide something."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("keys.json", b"{}")
    with pytest.raises(ArchiveRefused):
        unpack(out.getvalue())


def test_a_name_that_no_bundle_has_is_not_packed() -> None:
    """The writer is held to what the reader takes."""
    with pytest.raises(ArchiveRefused):
        pack({"../x": b""})
