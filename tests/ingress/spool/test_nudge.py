"""Many records, one wake-up."""

from __future__ import annotations

import asyncio

from tachograph.ingress.spool.nudge import Nudge


class Woken:
    """Counts wake-ups; `first` is done at the first one."""

    def __init__(self) -> None:
        self.times = 0
        self.first = asyncio.get_running_loop().create_future()

    def __call__(self) -> None:
        self.times += 1
        if not self.first.done():
            self.first.set_result(None)


async def rounds(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_those_who_wait_in_one_round_share_a_wake_up() -> None:
    """All that ask in one round of the loop wake the writer once, and in the next round once more."""
    woken = Woken()
    nudge = Nudge(asyncio.get_running_loop(), woken)
    for times in (1, 2):
        for _ in range(10):
            nudge.soon()
        assert woken.times == times - 1
        await rounds()
        assert woken.times == times


async def test_what_nobody_waits_for_goes_by_itself_a_little_later() -> None:
    """Without anybody waiting the writer is woken all the same, once for all of them."""
    woken = Woken()
    nudge = Nudge(asyncio.get_running_loop(), woken)
    for _ in range(10):
        nudge.later()
    await asyncio.wait_for(woken.first, 30)
    await rounds()
    assert woken.times == 1


async def test_what_nobody_waits_for_rides_along() -> None:
    """Who waits takes the others along: no second wake-up comes for them, however long one looks."""
    loop = asyncio.get_running_loop()
    woken = Woken()
    nudge = Nudge(loop, woken)
    nudge.later()
    nudge.soon()
    nudge.later()
    await asyncio.wait_for(woken.first, 30)
    passed = loop.create_future()
    loop.call_later(0.02, passed.set_result, None)
    await passed
    assert woken.times == 1
