"""One waiter, woken by callbacks or by time."""

from __future__ import annotations

import asyncio

from tachograph.ingress.recording.wakeup import Wakeup


async def test_set_wakes_the_waiter() -> None:
    """A waiter sleeps until somebody calls `set`."""
    loop = asyncio.get_running_loop()
    wakeup = Wakeup(loop)
    loop.call_soon(wakeup.set)
    assert await wakeup.wait(loop.time() + 10) is True
    wakeup.close()


async def test_time_wakes_the_waiter() -> None:
    """Without `set` the bound ends the wait, and says so."""
    loop = asyncio.get_running_loop()
    wakeup = Wakeup(loop)
    started = loop.time()
    assert await wakeup.wait(started + 0.05) is False
    assert loop.time() - started >= 0.05


async def test_set_without_waiter_is_not_kept() -> None:
    """`set` carries no state: who waits looks at the state first."""
    loop = asyncio.get_running_loop()
    wakeup = Wakeup(loop)
    wakeup.set()
    assert await wakeup.wait(loop.time() + 0.01) is False


async def test_one_timer_serves_many_bounds() -> None:
    """A later bound leaves the armed timer alone, an earlier one replaces it, and each holds."""
    loop = asyncio.get_running_loop()
    wakeup = Wakeup(loop)
    loop.call_soon(wakeup.set)
    assert await wakeup.wait(loop.time() + 50) is True
    armed = wakeup._timer
    loop.call_soon(wakeup.set)
    assert await wakeup.wait(loop.time() + 100) is True
    assert wakeup._timer is armed
    started = loop.time()
    assert await wakeup.wait(started + 0.1) is False
    assert loop.time() - started >= 0.1
    wakeup.close()


async def test_a_bound_that_was_not_needed_ends_no_later_wait() -> None:
    """Its timer goes off in the next one's time, and is armed again for that."""
    loop = asyncio.get_running_loop()
    wakeup = Wakeup(loop)
    loop.call_soon(wakeup.set)
    assert await wakeup.wait(loop.time() + 0.05) is True
    started = loop.time()
    assert await wakeup.wait(started + 0.1) is False
    assert loop.time() - started >= 0.1


async def test_close_wakes_and_drops_the_timer() -> None:
    """After `close` nothing is left in the loop."""
    loop = asyncio.get_running_loop()
    wakeup = Wakeup(loop)
    loop.call_soon(wakeup.close)
    assert await wakeup.wait(loop.time() + 100) is True
    assert wakeup._timer is None
