"""Who waits, who is woken, and who is told that it will not be soon."""

import asyncio
import threading

import pytest

from tachograph.ingress.errors import RecorderFull
from tachograph.ingress.recording.durability import STUCK_SECONDS, Durability

SECONDS = 30.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def durability(clock: Clock | None = None) -> Durability:
    return Durability(asyncio.get_running_loop(), monotonic=clock or Clock())


async def test_a_sync_makes_everything_before_it_durable() -> None:
    """All who wait for less are woken, who waits for more is not."""
    made = durability()
    waiting = [asyncio.ensure_future(made.wait(count)) for count in (1, 3, 2, 4)]
    await asyncio.sleep(0)
    made.synced(3)
    await asyncio.wait_for(asyncio.gather(*waiting[:3]), SECONDS)
    assert not waiting[3].done()
    waiting[3].cancel()


async def test_what_is_durable_already_is_not_waited_for() -> None:
    """`wait` returns without giving up its turn."""
    made = durability()
    made.synced(5)
    coroutine = made.wait(5)
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def test_kafka_counts_only_without_a_gap() -> None:
    """An acknowledgement behind a missing one makes nothing durable: its data key may be the missing one."""
    made = durability()
    made.acknowledged(1)
    made.acknowledged(2)
    assert made.upto == 0
    made.acknowledged(0)
    assert made.upto == 3


async def test_late_and_missing_acknowledgements_cost_no_memory() -> None:
    """Where the disk was first, nothing is kept about what Kafka says later, or never says."""
    made = durability()
    for number in range(1000):
        made.synced(number + 1)
        if number % 3:
            made.acknowledged(number)
    assert made.upto == 1000
    assert not made._done._ahead


async def test_whichever_comes_first_counts() -> None:
    """A later sync of less, or a late acknowledgement, takes nothing back."""
    made = durability()
    made.synced(2)
    made.acknowledged(0)
    made.synced(1)
    assert made.upto == 2


async def test_a_failing_disk_tells_all_who_wait() -> None:
    """They get the reason and can refuse their requests."""
    made = durability()
    waiting = asyncio.ensure_future(made.wait(1))
    await asyncio.sleep(0)
    made.fail("No space left on device")
    with pytest.raises(RecorderFull, match="No space left"):
        await waiting


async def test_nobody_waits_for_ever_on_a_disk_that_hangs() -> None:
    """After a named bound the wait is given up."""
    clock = Clock()
    made = durability(clock)
    waiting = asyncio.ensure_future(made.wait(1))
    await asyncio.sleep(0)
    clock.now = STUCK_SECONDS - 1
    made.expire()
    assert not waiting.done()
    clock.now = STUCK_SECONDS + 1
    made.expire()
    with pytest.raises(RecorderFull, match="did not answer"):
        await waiting


async def test_no_wake_up_is_lost_between_threads() -> None:
    """Thousands of records made durable by another thread wake every one who waits for them."""
    made = durability()
    count = 3000

    def work() -> None:
        for number in range(1, count + 1):
            made.synced(number)

    thread = threading.Thread(target=work)
    waiting = [asyncio.ensure_future(made.wait(number)) for number in range(1, count + 1)]
    thread.start()
    await asyncio.wait_for(asyncio.gather(*waiting), SECONDS)
    thread.join(SECONDS)


async def test_a_cancelled_wait_disturbs_nobody() -> None:
    """An agent that left while its record was written does not stop the others."""
    made = durability()
    gone, here = asyncio.ensure_future(made.wait(1)), asyncio.ensure_future(made.wait(1))
    await asyncio.sleep(0)
    gone.cancel()
    made.synced(1)
    await asyncio.wait_for(here, SECONDS)
