"""When entries come from memory and when from files."""

import threading
from pathlib import Path

from tachograph.ingress.spool.backlog import Backlog, Cursor, Queued
from tachograph.ingress.spool.files import Segment, SystemDisk, claim_directory
from tachograph.ingress.spool.frames import SpoolEntry, encode_frame
from tachograph.ingress.spool.shelf import Shelf

DISK = SystemDisk()


def entry(number: int) -> SpoolEntry:
    return SpoolEntry("t", b"", bytes([number]))


def write(shelf: Shelf, backlog: Backlog, number: int) -> Segment:
    frame = encode_frame(entry(number))
    segment = shelf.writable(len(frame), roll_bytes=1 << 20)
    place = Cursor(segment, segment.size, segment.frames)
    segment.append(frame, 1, disk=DISK)
    backlog.put([Queued(entry(number), number)], at=place)
    return segment


def take(backlog: Backlog) -> list[int]:
    found = backlog.take(1 << 20)
    if not isinstance(found, list):
        cursor, end = found
        found = backlog.advance(cursor, Backlog.read(cursor, end))
    return [queued.entry.value[0] for queued in found]


def make(tmp_path: Path, window_bytes: int) -> tuple[Shelf, Backlog]:
    own, adopted = claim_directory(tmp_path, "a")
    shelf = Shelf(own, adopted, lock=threading.Condition(), disk=DISK, clock=lambda: 0.0)
    return shelf, Backlog(shelf, window_bytes=window_bytes)


def test_what_fits_in_memory_is_there_before_it_is_synced(tmp_path: Path) -> None:
    """Kafka may have a record before the disk has."""
    shelf, backlog = make(tmp_path, 1000)
    write(shelf, backlog, 1)
    assert (take(backlog), take(backlog), backlog.in_files) == ([1], [], False)
    shelf.close()


def test_beyond_memory_only_what_is_synced_is_taken(tmp_path: Path) -> None:
    """What is read from a file has survived; what has not is not offered."""
    shelf, backlog = make(tmp_path, 300)
    for number in (1, 2, 3):
        segment = write(shelf, backlog, number)
    assert (take(backlog), backlog.waiting) == ([1], False)
    segment.sync(disk=DISK)
    assert (backlog.waiting, take(backlog), backlog.waiting) == (True, [2, 3], False)
    shelf.close()


def test_memory_is_the_rule_again_after_catching_up(tmp_path: Path) -> None:
    """Once the files are read to the writer's place, new entries come from memory."""
    shelf, backlog = make(tmp_path, 300)
    for number in (1, 2):
        segment = write(shelf, backlog, number)
    segment.sync(disk=DISK)
    assert [take(backlog), take(backlog), take(backlog)] == [[1], [2], []]
    write(shelf, backlog, 3)
    assert take(backlog) == [3]
    shelf.close()


def test_a_file_that_cannot_be_opened_holds_up_nothing(tmp_path: Path) -> None:
    """It is told and marked as damaged; the entries behind it follow."""
    shelf, backlog = make(tmp_path, 0)
    first = write(shelf, backlog, 1)
    first.sync(disk=DISK)
    shelf.close_active()
    first.path.unlink()
    write(shelf, backlog, 2).sync(disk=DISK)
    assert (take(backlog), first.damaged, take(backlog)) == ([], True, [2])
    shelf.close()


def test_a_repr_of_what_is_queued_shows_no_value() -> None:
    """Queued entries may stand in a debugger or a log without a byte of theirs."""
    assert "secret" not in repr(Queued(SpoolEntry("t", b"", b"secret"), 0))
