"""What a crash or a bad disk can leave in a segment, and what is read back from it."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.ingress.spool.files import SEGMENT_HEAD
from tachograph.ingress.spool.frames import SpoolEntry, encode_frame
from tachograph.ingress.spool.reading import READ_BYTES, read_piece


def entries(count: int, size: int = 100) -> list[SpoolEntry]:
    return [SpoolEntry("t", str(number).encode(), bytes([number % 256]) * size) for number in range(count)]


def read_all(path: Path, end: int | None = None) -> tuple[list[SpoolEntry], int]:
    found: list[SpoolEntry] = []
    offset = skipped = 0
    while True:
        piece = read_piece(path, offset, end=end)
        found += piece.entries
        skipped += piece.skipped
        offset = piece.next
        if piece.done:
            return found, skipped


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(SEGMENT_HEAD + data)
    return path


def test_whole_segments_are_read_in_order(tmp_path: Path) -> None:
    """All frames come back, over several pieces."""
    wanted = entries(50, size=READ_BYTES // 10)
    path = write(tmp_path / "a", b"".join(map(encode_frame, wanted)))
    assert read_all(path) == (wanted, 0)


def test_a_frame_longer_than_a_piece_is_read(tmp_path: Path) -> None:
    """The reading unit does not bound the entry."""
    wanted = entries(2, size=2 * READ_BYTES)
    assert read_all(write(tmp_path / "a", b"".join(map(encode_frame, wanted)))) == (wanted, 0)


@given(st.integers(0, 4), st.data())
@settings(max_examples=60)
def test_a_torn_end_costs_only_itself(whole: int, data: st.DataObject) -> None:
    """Whatever part of the last write is missing, every frame before it is read."""
    wanted = entries(whole)
    torn = encode_frame(SpoolEntry("t", b"torn", b"x" * 300))
    cut = data.draw(st.integers(0, len(torn) - 1))
    path = write(Path(tempfile.mkdtemp()) / "a", b"".join(map(encode_frame, wanted)) + torn[:cut])
    assert read_all(path) == (wanted, cut)


@given(st.integers(0, 9), st.integers(1, 200))
@settings(max_examples=60)
def test_damage_in_the_middle_hides_nothing_behind_it(victim: int, length: int) -> None:
    """Frames behind a damaged place are still read, and the damage is reported."""
    wanted = entries(10, size=300)
    frames = [bytearray(encode_frame(entry)) for entry in wanted]
    frames[victim][4 : 4 + length] = b"\xff" * length
    path = write(Path(tempfile.mkdtemp()) / "a", b"".join(frames))
    assert read_all(path) == (wanted[:victim] + wanted[victim + 1 :], len(frames[victim]))


def test_nothing_is_read_beyond_what_is_synced(tmp_path: Path) -> None:
    """A bound on the bytes hides what may not survive yet."""
    wanted = entries(3)
    frames = list(map(encode_frame, wanted))
    path = write(tmp_path / "a", b"".join(frames))
    end = len(SEGMENT_HEAD) + len(frames[0]) + len(frames[1])
    assert read_all(path, end) == (wanted[:2], 0)


def test_a_file_without_our_head_is_searched_all_the_same(tmp_path: Path) -> None:
    """A segment whose first block was lost still gives what follows."""
    (entry,) = entries(1)
    (tmp_path / "a").write_bytes(b"\0" * 16 + encode_frame(entry))
    assert read_all(tmp_path / "a") == ([entry], 16)


def test_an_empty_file_has_nothing(tmp_path: Path) -> None:
    """A crash between creating and writing a segment leaves nothing to read."""
    (tmp_path / "a").touch()
    assert read_all(tmp_path / "a") == ([], 0)
