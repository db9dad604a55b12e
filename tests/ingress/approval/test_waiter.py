"""One who waits: woken when there is something to see, kept alive meanwhile, within bounds."""

from __future__ import annotations

import asyncio

import pytest

from tachograph.ingress.admission import KEEPALIVE_SECONDS
from tachograph.ingress.approval.waiter import MAX_SIGNS, Waiter
from tachograph.ingress.errors import ClientGone


async def test_it_wakes_at_its_time_and_when_the_client_leaves() -> None:
    """Not before, and once is enough."""
    gone: list[bool] = []
    waiter = Waiter(lambda: None, lambda: bool(gone), now=0.0)
    waiter.wake()
    for leaves in (False, True):
        waiter.until = 10.0
        waiter.future = asyncio.get_running_loop().create_future()
        waiter.look(9.0)
        assert not waiter.future.done()
        gone.extend([True] if leaves else [])
        waiter.look(9.5 if leaves else 10.0)
        waiter.wake()
        assert waiter.future.done()
    with pytest.raises(ClientGone):
        waiter.check()


def test_signs_of_life_are_few_and_far_between() -> None:
    """Every `KEEPALIVE_SECONDS`, and not more than any client takes."""
    signs: list[int] = []
    waiter = Waiter(lambda: signs.append(1), lambda: False, now=0.0)
    waiter.until = 1e9
    waiter.look(KEEPALIVE_SECONDS - 0.1)
    assert not signs
    for tick in range(200):
        waiter.look(tick * KEEPALIVE_SECONDS / 2)
    assert len(signs) == MAX_SIGNS
    waiter.check()
