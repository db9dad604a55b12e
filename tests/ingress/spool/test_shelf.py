"""Which segment comes when, and when it may go."""

import os
import threading
from pathlib import Path

from tachograph.ingress.spool.files import Segment, SystemDisk, WorkerDirectory, claim_directory
from tachograph.ingress.spool.shelf import RECLAIM_SECONDS, Shelf

DISK = SystemDisk()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def shelf(
    own: WorkerDirectory, adopted: tuple[WorkerDirectory, ...] = (), clock: Clock | None = None
) -> Shelf:
    return Shelf(own, adopted, lock=threading.Condition(), disk=DISK, clock=clock or Clock())


def test_a_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    """What does not fit opens another file, and the order of publishing is the order of opening."""
    own, _ = claim_directory(tmp_path, "a")
    made = shelf(own)
    first = made.writable(100, roll_bytes=200)
    first.append(b"x" * 100, 1, disk=DISK)
    assert made.writable(50, roll_bytes=200) is first
    second = made.writable(100, roll_bytes=200)
    assert (second is first, made.after(first), made.after(second)) == (False, second, None)
    made.close()


def test_an_acknowledged_record_does_not_stay_for_long(tmp_path: Path) -> None:
    """The open segment is given up when all of it is acknowledged and it is old or large."""
    clock = Clock()
    own, _ = claim_directory(tmp_path, "a")
    made = shelf(own, clock=clock)
    segment = made.writable(10, roll_bytes=1000)
    segment.append(b"x" * 10, 1, disk=DISK)
    made.bytes += 10
    clock.now = RECLAIM_SECONDS + 1
    made.reclaim(large=1000)
    assert made.active is segment
    segment.acked = 1
    made.reclaim(large=1000)
    made.sweep()
    assert (made.active, segment.path.exists(), made.bytes) == (None, False, 0)
    made.close()


def test_an_adopted_folder_is_given_back_with_its_last_segment(tmp_path: Path) -> None:
    """However many of its segments are done at once, the folder goes once, and not before."""
    dead, _ = claim_directory(tmp_path, "dead")
    for number in range(3):
        Segment.create(dead.path / f"{number}.seg", disk=DISK, now=0.0).close()
    os.close(dead.lock)
    own, adopted = claim_directory(tmp_path, "new")
    made = shelf(own, tuple(adopted))
    first, last = made.first, made.first
    while last is not None and (following := made.after(last)) is not None:
        last = following
    assert first is not None
    assert last is not None
    first.closed = True
    made.sweep()
    assert sorted(path.name for path in dead.path.iterdir()) == ["1.seg", "2.seg", "lock"]
    for segment in (made.first, last):
        assert segment is not None
        segment.closed = True
    made.sweep()
    assert not dead.path.exists()
    made.close()


def test_an_adopted_folder_without_segments_is_given_back_at_once(tmp_path: Path) -> None:
    """Nothing to publish means nothing to keep."""
    dead, _ = claim_directory(tmp_path, "dead")
    os.close(dead.lock)
    own, adopted = claim_directory(tmp_path, "new")
    made = shelf(own, tuple(adopted))
    assert not dead.path.exists()
    assert made.first is None
    made.close()
