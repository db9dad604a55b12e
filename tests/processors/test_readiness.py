"""Readiness: a worker says that it is ready only while records get through it."""

from dataclasses import replace

import pytest

from tachograph.processors.readiness import STUCK_S, Vitals, Watch


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def vitals(
    *, partitions: int | None = 2, waiting: int = 0, progress: int = 0, reachable: bool = True
) -> Vitals:
    return Vitals(partitions=partitions, waiting=waiting, progress=progress, reachable=reachable)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_before_the_first_look_it_is_starting(clock: Clock) -> None:
    """A process that still waits for Kafka does not claim to work."""
    assert Watch(clock).readiness().refusing.startswith("starting")


@pytest.mark.parametrize(
    ("seen", "refusing"),
    [
        (vitals(), ""),
        (vitals(partitions=0), ""),
        (vitals(partitions=None), "not yet in the consumer group"),
        (vitals(reachable=False), "Kafka does not answer"),
        (vitals(waiting=5), ""),
        (
            replace(vitals(), stopped=(1, 3)),
            "partition 1, 3 stopped: a canary could be read behind the masker; tacho canary stops",
        ),
    ],
)
def test_what_it_sees_is_what_it_says(clock: Clock, seen: Vitals, refusing: str) -> None:
    """In the group and with Kafka answering it is ready, as a stand-by without partitions too."""
    readiness = Watch(clock)
    readiness.observe(seen)
    assert readiness.readiness().refusing == refusing
    assert readiness.readiness().details["partitions"] == (seen.partitions or 0)


def test_records_that_wait_without_progress_are_not_ready(clock: Clock) -> None:
    """Work that stands still is told by how much waits and since when; the first progress ends it."""
    readiness = Watch(clock)
    for _ in range(3):
        readiness.observe(vitals(waiting=7, progress=1))
        clock.now += STUCK_S / 2 + 1
    readiness.observe(vitals(waiting=7, progress=1))
    verdict = readiness.readiness()
    assert verdict.refusing.startswith("7 records wait")
    assert verdict.details["seconds_since_progress"] == pytest.approx(3 * (STUCK_S / 2 + 1))
    readiness.observe(vitals(waiting=7, progress=2))
    assert readiness.readiness().refusing == ""


def test_nothing_to_do_is_no_standstill(clock: Clock) -> None:
    """The time counts from when records began to wait, however long it was quiet before."""
    readiness = Watch(clock)
    readiness.observe(vitals())
    clock.now += 10 * STUCK_S
    readiness.observe(vitals(waiting=1))
    assert readiness.readiness().refusing == ""


def test_a_worker_that_no_longer_looks_is_not_ready(clock: Clock) -> None:
    """The last good news does not last for ever."""
    readiness = Watch(clock)
    readiness.observe(vitals())
    clock.now += STUCK_S + 1
    assert "not looked after itself" in readiness.readiness().refusing
