"""The spool against a disk that works, that fails, and that comes back; Kafka is whoever calls `take`."""

import errno
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tachograph.ingress.errors import RecorderFull
from tachograph.ingress.spool.backlog import Queued
from tachograph.ingress.spool.files import SystemDisk, claim_directory
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.ingress.spool.spool import Spool, SpoolLimits

SECONDS = 30.0
MIB = 1 << 20
LIMITS = SpoolLimits(max_bytes=16 * MIB, segment_bytes=MIB)


@dataclass
class Told:
    """What the spool tells its listener."""

    count: int = 0
    acknowledgements: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def synced(self, count: int) -> None:
        with self.changed:
            self.count = count
            self.changed.notify_all()

    def acknowledged(self, index: int) -> None:
        self.acknowledgements.append(index)

    def broken(self, reason: str) -> None:
        with self.changed:
            self.reasons.append(reason)
            self.changed.notify_all()

    def wait(self, what: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(what, SECONDS)


class FaultyDisk(SystemDisk):
    """Fails where and while it is told to. Writing half of the bytes first is the worst it can do."""

    def __init__(self) -> None:
        self.failing = ""

    def write(self, fd: int, data: bytes) -> None:
        if self.failing == "write":
            os.write(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        if self.failing == "sync":
            raise OSError(errno.EIO, "Input/output error")
        super().sync(fd)

    def create(self, path: Path) -> int:
        if self.failing == "create":
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().create(path)


@contextmanager
def spool(
    root: Path, *, limits: SpoolLimits = LIMITS, disk: SystemDisk | None = None, name: str = "a"
) -> Iterator[tuple[Spool, Told]]:
    told = Told()
    own, adopted = claim_directory(root, name)
    made = Spool(own, adopted, limits=limits, listener=told, disk=disk)
    made.start()
    try:
        yield made, told
    finally:
        made.close(timeout=SECONDS)  # a writer that is under way must have ended before a successor begins


def entry(number: int, size: int = 10) -> SpoolEntry:
    return SpoolEntry("raw", b"key", number.to_bytes(4, "big") + b"x" * size, (("uid", b"u"),))


def numbers(taken: Sequence[Queued]) -> list[int]:
    return [int.from_bytes(queued.entry.value[:4], "big") for queued in taken]


def drain(made: Spool, count: int) -> list[int]:
    """Take and acknowledge so many entries, within a bound."""
    found: list[int] = []
    for _ in range(1000):
        taken = made.take(64 * 1024, timeout=0.1)
        found += numbers(taken)
        for queued in taken:
            made.acknowledge(queued)
        if len(found) >= count:
            break
    return found


def settled(made: Spool) -> bool:
    """Whether there is nothing more to come, at the latest when the last sync is over."""
    return any(made.empty or made.take(1, timeout=0.1) for _ in range(100)) and made.empty


def test_everything_appended_is_synced_and_taken_in_order(tmp_path: Path) -> None:
    """Order in is order out, and the count of durable records reaches all of them."""
    with spool(tmp_path) as (made, told):
        for number in range(200):
            made.append([entry(number)])
        told.wait(lambda: told.count == 200)
        assert drain(made, 200) == list(range(200))
        assert told.acknowledgements == list(range(200))
        assert settled(made)


def test_what_was_not_acknowledged_comes_back_in_order(tmp_path: Path) -> None:
    """The next worker publishes first what the one before it left, then its own."""
    with spool(tmp_path) as (made, told):
        made.append([entry(number) for number in range(50)])
        told.wait(lambda: told.count == 50)
        for queued in made.take(1 << 20, timeout=1)[:20]:
            made.acknowledge(queued)
    with spool(tmp_path, name="b") as (made, told):
        made.append([entry(number) for number in range(100, 110)])
        assert drain(made, 40) == [*range(20, 50), *range(100, 110)]
        assert settled(made)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_what_exceeds_memory_is_read_back_from_the_files(tmp_path: Path) -> None:
    """With a window of a few entries nothing is lost, doubled or out of order."""
    limits = SpoolLimits(max_bytes=64 * MIB, segment_bytes=MIB, window_bytes=4096)
    with spool(tmp_path, limits=limits) as (made, told):
        for number in range(0, 3000, 10):
            made.append([entry(number + more, size=1000) for more in range(10)])
        told.wait(lambda: told.count == 3000)
        assert drain(made, 3000) == list(range(3000))
        made.append([entry(3000)])
        assert drain(made, 1) == [3000]
        assert settled(made)


def test_taking_while_writing_keeps_the_order(tmp_path: Path) -> None:
    """Writer and publisher at once, in and out of memory: still every entry once and in order."""
    limits = SpoolLimits(max_bytes=64 * MIB, segment_bytes=MIB, window_bytes=64 * 1024)
    with spool(tmp_path, limits=limits) as (made, _):
        found: list[int] = []
        publisher = threading.Thread(target=lambda: found.extend(drain(made, 5000)))
        publisher.start()
        for number in range(5000):
            made.append([entry(number, size=500)])
        publisher.join(SECONDS)
        assert found == list(range(5000))


def test_acknowledged_segments_are_deleted(tmp_path: Path) -> None:
    """The spool does not grow with what Kafka has."""
    with spool(tmp_path) as (made, told):
        for number in range(40):
            made.append([entry(number, size=100_000)])
            assert drain(made, 1) == [number]
            told.wait(lambda: told.count == number + 1)  # noqa: B023  called at once
        assert made.used_bytes < 3 * MIB
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.seg")) < 3 * MIB


def test_a_full_spool_admits_nothing_until_there_is_room(tmp_path: Path) -> None:
    """The bound holds, answers have a reserve, and it ends when Kafka takes records again."""
    with spool(tmp_path) as (made, told):
        count = 0
        while True:
            try:
                made.check(reserve=True)
            except RecorderFull as full:
                assert "full" in full.detail  # noqa: PT017  the loop ends here and nowhere else
                break
            count = made.append([entry(count, size=500_000)])
            told.wait(lambda: told.count == count)  # noqa: B023  called at once
        made.check(reserve=False)
        assert LIMITS.max_bytes - LIMITS.reserve_bytes < made.used_bytes < LIMITS.max_bytes
        assert drain(made, count) == list(range(count))
        made.append([entry(count)])
        told.wait(lambda: told.count == count + 1)
        made.check(reserve=True)


@pytest.mark.parametrize("failing", ["write", "sync", "create"])
def test_a_failing_disk_admits_nothing_and_loses_nothing(tmp_path: Path, failing: str) -> None:
    """Nothing is called durable while the disk fails; when it is back everything is, once and in order."""
    disk = FaultyDisk()
    with spool(tmp_path, disk=disk) as (made, told):
        if failing != "create":
            made.append([entry(0), entry(1)])
            told.wait(lambda: told.count == 2)
        known = told.count
        disk.failing = failing
        made.append([entry(number) for number in range(known, 5)])
        told.wait(lambda: bool(told.reasons))
        with pytest.raises(RecorderFull, match="disk fails"):
            made.check(reserve=True)
        assert told.count == known
        disk.failing = ""
        told.wait(lambda: told.count == 5)
        made.check(reserve=True)
        assert drain(made, 5) == list(range(5))
        assert settled(made)


def test_after_a_failed_sync_the_files_hold_everything_durable(tmp_path: Path) -> None:
    """A successor finds what was called durable, although the first segment was given up."""
    disk = FaultyDisk()
    with spool(tmp_path, disk=disk) as (made, told):
        made.append([entry(0)])
        told.wait(lambda: told.count == 1)
        disk.failing = "sync"
        made.append([entry(1)])
        told.wait(lambda: bool(told.reasons))
        disk.failing = ""
        told.wait(lambda: told.count == 2)
    with spool(tmp_path, name="b") as (made, _):
        assert drain(made, 2) == [0, 1]


def test_kafka_may_be_faster_than_a_failing_disk(tmp_path: Path) -> None:
    """What Kafka acknowledged meanwhile is not written again, and the rest still is."""
    disk = FaultyDisk()
    with spool(tmp_path, disk=disk) as (made, told):
        disk.failing = "sync"
        made.append([entry(0), entry(1)])
        told.wait(lambda: bool(told.reasons))
        assert drain(made, 2) == [0, 1]
        disk.failing = ""
        made.append([entry(2)])
        told.wait(lambda: told.count == 3)
        assert drain(made, 1) == [2]
        assert settled(made)


@pytest.mark.parametrize("window", [0, 300])
def test_a_failed_sync_loses_nothing_that_was_to_be_read_from_the_file(tmp_path: Path, window: int) -> None:
    """The publisher may have read all that was synced meanwhile; what failed still comes, and in order."""
    disk = FaultyDisk()
    limits = SpoolLimits(max_bytes=16 * MIB, segment_bytes=MIB, window_bytes=window)
    with spool(tmp_path, limits=limits, disk=disk) as (made, told):
        made.append([entry(0), entry(1)])
        told.wait(lambda: told.count == 2)
        disk.failing = "sync"
        made.append([entry(2), entry(3)])
        told.wait(lambda: bool(told.reasons))
        assert drain(made, 2) == [0, 1]
        assert made.take(MIB, timeout=0.05) == []
        disk.failing = ""
        told.wait(lambda: told.count == 4)
        made.append([entry(4)])
        assert drain(made, 3) == [2, 3, 4]
        assert settled(made)


def test_closing_with_a_dead_disk_ends_in_time_and_says_what_is_missing(tmp_path: Path) -> None:
    """A shutdown does not hang on a disk that never comes back."""
    disk = FaultyDisk()
    disk.failing = "create"
    with spool(tmp_path, disk=disk) as (made, told):
        made.append([entry(0)])
        told.wait(lambda: bool(told.reasons))
        assert made.close(timeout=0.2) == 1


def test_what_kafka_takes_nowhere_is_kept_in_a_file(tmp_path: Path) -> None:
    """An entry set aside is a sealed frame that only the owner can read."""
    with spool(tmp_path) as (made, _):
        made.set_aside(entry(7), "MSG_SIZE_TOO_LARGE")
        (path,) = (tmp_path / "refused").iterdir()
        assert path.suffix == ".msg_size_too_large"
        assert path.stat().st_mode & 0o077 == 0


def test_a_torn_tail_costs_nothing_that_was_durable(tmp_path: Path) -> None:
    """Bytes of a write that a power cut tore are cut off; all that was synced is published."""
    with spool(tmp_path) as (made, told):
        made.append([entry(number) for number in range(5)])
        told.wait(lambda: told.count == 5)
    (segment,) = tmp_path.rglob("*.seg")
    with segment.open("ab") as file:
        file.write(b"TS\x01\x00\x00\x00\x01\x00torn")
    with spool(tmp_path, name="b") as (made, _):
        assert drain(made, 5) == list(range(5))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_nothing_durable_is_lost(tmp_path: Path, seed: int) -> None:
    """Small segments, a moody disk, a Kafka that answers late and in disorder, several lives."""
    chance = random.Random(seed)
    limits = SpoolLimits(
        max_bytes=16 * MIB, segment_bytes=20_000, window_bytes=chance.choice([0, 5_000, 50_000])
    )
    durable: set[int] = set()
    delivered: list[int] = []
    for life in range(4):
        disk = FaultyDisk()
        with spool(tmp_path, limits=limits, disk=disk, name=f"life-{life}") as (made, told):
            count = 0
            unanswered: list[Queued] = []
            for _ in range(60):
                entries = [
                    entry(life * 10_000 + count + more, size=chance.randrange(2000)) for more in range(5)
                ]
                count = made.append(entries)
                disk.failing = chance.choice(["", "", "", "", "write", "sync", "create"])
                unanswered += made.take(chance.randrange(1, 20_000), timeout=0.001)
                chance.shuffle(unanswered)
                for _ in range(chance.randrange(len(unanswered) + 1)):
                    queued = unanswered.pop()
                    made.acknowledge(queued)
                    delivered += numbers([queued])
            disk.failing = ""
            if life == 3 or chance.random() < 0.7:
                told.wait(lambda: told.count == count)  # noqa: B023  called at once
            durable |= {life * 10_000 + number for number in range(told.count)}
    with spool(tmp_path, name="last") as (made, _):
        for _ in range(1000):
            taken = made.take(64 * 1024, timeout=0.05)
            delivered += numbers(taken)
            for queued in taken:
                made.acknowledge(queued)
            if made.empty:
                break
    assert durable <= set(delivered)
    assert len(durable) >= 300  # how far the disk came in the other lives depends on the machine
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_what_is_appended_without_a_wake_goes_with_the_next(tmp_path: Path) -> None:
    """An entry that nobody asked for stays where it is until `wake`; the writer's own rounds leave it too."""
    with spool(tmp_path) as (made, told):
        made.append([entry(0)])
        told.wait(lambda: told.count == 1)
        assert made.append([entry(1)], wake=False) == 2
        assert numbers(made.take(MIB, timeout=0.1)) == [0]
        assert made.take(MIB, timeout=0.05) == []
        made.wake()
        told.wait(lambda: told.count == 2)
        assert drain(made, 1) == [1]
