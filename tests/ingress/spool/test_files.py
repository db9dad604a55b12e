"""Directories of workers, living and dead, and the files in them."""

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.errors import SpoolBroken
from tachograph.ingress.spool.files import SEGMENT_HEAD, Contiguous, Segment, SystemDisk, claim_directory


@given(st.permutations(range(12)))
def test_counting_from_the_start_takes_any_order(order: list[int]) -> None:
    """The count is always the length of the done beginning."""
    done = Contiguous()
    for position, number in enumerate(order):
        done.add(number)
        seen = set(order[: position + 1])
        assert done.upto == next(n for n in range(13) if n not in seen)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=40))
def test_skipping_and_counting_agree_with_a_plain_set(steps: list[tuple[bool, int]]) -> None:
    """Whatever is skipped or counted, late or twice, the beginning that is done is the same as a set's."""
    done, seen = Contiguous(), set[int]()
    for skip, number in steps:
        if skip:
            done.skip(number)
            seen |= set(range(number))
        else:
            done.add(number)
            seen.add(number)
        assert done.upto == next(n for n in range(100) if n not in seen)
        assert all(number > done.upto for number in done._ahead)


def test_a_living_workers_directory_is_left_alone(tmp_path: Path) -> None:
    """Two workers at a time each have a directory, and neither adopts the other's."""
    first, none = claim_directory(tmp_path / "spool", "a")
    second, still_none = claim_directory(tmp_path / "spool", "b")
    assert (list(none), list(still_none)) == ([], [])
    first.release()
    second.release()


def test_a_dead_workers_directory_is_adopted(tmp_path: Path) -> None:
    """A directory whose lock is free, as after a kill, goes to the next worker."""
    dead, _ = claim_directory(tmp_path, "dead")
    Segment.create(dead.path / "000000000000.seg", disk=SystemDisk(), now=0.0).close()
    os.close(dead.lock)
    own, (adopted,) = claim_directory(tmp_path, "new")
    assert [segment.path.name for segment in adopted.segments()] == ["000000000000.seg"]
    own.release()
    os.close(adopted.lock)


def test_only_one_of_many_adopts(tmp_path: Path) -> None:
    """Workers that start at once never adopt the same directory, nor each other's."""
    dead, _ = claim_directory(tmp_path, "dead")
    (dead.path / "000000000000.seg").write_bytes(SEGMENT_HEAD)
    os.close(dead.lock)
    adopted: list[str] = []

    def start(name: str) -> None:
        _, found = claim_directory(tmp_path, name)
        adopted.extend(directory.path.name for directory in found)

    workers = [threading.Thread(target=start, args=(f"w{number}",)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert adopted == ["dead"]


def test_nothing_in_the_spool_is_for_others_to_read(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, whatever the umask says."""
    old = os.umask(0)
    try:
        own, _ = claim_directory(tmp_path / "spool", "a")
        segment = Segment.create(own.path / "1.seg", disk=SystemDisk(), now=0.0)
        segment.contiguous.add(0)
        segment.note_acknowledged()
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in own.path.iterdir()}
    assert modes == {"1.seg": 0o600, "1.ack": 0o600, "lock": 0o600}
    assert stat.S_IMODE(own.path.stat().st_mode) == 0o700
    segment.remove()
    own.release()


def test_a_released_directory_is_gone_when_it_is_empty(tmp_path: Path) -> None:
    """A clean end leaves nothing to adopt."""
    own, _ = claim_directory(tmp_path, "a")
    own.release()
    assert not own.path.exists()


def test_what_was_acknowledged_is_remembered_for_the_successor(tmp_path: Path) -> None:
    """The `.ack` file tells how many frames from the start need no repeat."""
    segment = Segment.create(tmp_path / "1.seg", disk=SystemDisk(), now=0.0)
    for number in (0, 1, 3):
        segment.contiguous.add(number)
    segment.note_acknowledged()
    segment.close()
    assert Segment(tmp_path / "1.seg", fd=None, size=16).known == 2


@pytest.mark.parametrize("damage", [b"", b"\0" * 12 + b"x", b"\1" * 12], ids=["empty", "longer", "altered"])
def test_a_damaged_note_is_worth_nothing(tmp_path: Path, damage: bytes) -> None:
    """A `.ack` file that does not check leads to repeats, never to a loss."""
    (tmp_path / "1.ack").write_bytes(damage)
    assert Segment(tmp_path / "1.seg", fd=None, size=16).known == 0


def test_cutting_gives_up_only_what_is_not_synced(tmp_path: Path) -> None:
    """A failing segment ends where the last sync was."""
    disk = SystemDisk()
    segment = Segment.create(tmp_path / "1.seg", disk=disk, now=0.0)
    segment.append(b"durable", 1, disk=disk)
    segment.sync(disk=disk)
    segment.append(b"not yet", 1, disk=disk)
    segment.cut(1)
    assert segment.path.read_bytes() == SEGMENT_HEAD + b"durable"
    assert (segment.frames, segment.size, segment.closed) == (1, segment.synced, True)


def test_a_damaged_segment_is_kept_for_the_operator(tmp_path: Path) -> None:
    """Damage is put aside, not deleted."""
    segment = Segment.create(tmp_path / "1.seg", disk=SystemDisk(), now=0.0)
    segment.damaged = True
    segment.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["1.damaged"]


def test_a_place_where_no_folder_can_be_is_refused(tmp_path: Path) -> None:
    """The error says which path and what is needed there."""
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(SpoolBroken, match="needs a folder"):
        claim_directory(tmp_path / "spool", "a")


def test_a_closed_segment_takes_no_more(tmp_path: Path) -> None:
    """Writing behind a close is a defect, and says so."""
    segment = Segment.create(tmp_path / "1.seg", disk=SystemDisk(), now=0.0)
    segment.close()
    with pytest.raises(SpoolBroken, match="closed"):
        segment.append(b"x", 1, disk=SystemDisk())
