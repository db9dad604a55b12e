"""The log's view: versions, freshness, and words that count once they were read back."""

from __future__ import annotations

import asyncio
from typing import Any

from tachograph.schemas.approval_book import Void


async def test_who_waits_for_a_change_is_woken_by_it(world: Any) -> None:
    """And by time, with the same version."""
    version = world.desk.version
    assert await world.desk.changed(version, seconds=0.01) == version
    waiting = asyncio.create_task(world.desk.changed(version, seconds=5))
    await asyncio.sleep(0)
    world.asks()
    assert await waiting > version


async def test_the_tails_thread_reaches_the_loop(world: Any) -> None:
    """Its three calls take effect on the loop, in their order."""
    world.time.on(60)
    assert world.desk.problem
    for call in (world.desk.begun, lambda: world.desk.read(()), lambda: world.desk.fresh(world.time.mono)):
        await asyncio.to_thread(call)
    await asyncio.sleep(0)
    assert world.desk.problem == ""


async def test_a_new_request_is_told_once_and_a_joined_one_not(world: Any) -> None:
    """Nor is what was on the log before this console had read it."""
    told: list[Any] = []
    world.desk.on_asked = told.append
    first = world.asks()
    asked = first.requested
    world.asks(session=asked.session, request_digest=asked.request_digest)
    assert [each.approval for each in told] == [first.id]
    world.desk._begin()
    world.asks()
    assert len(told) == 1


async def test_a_void_word_is_answered_with_why(world: Any) -> None:
    """The fold's verdict reaches whoever wrote it."""
    approval = world.asks()
    ruth = world.browser_of("ruth", "ops")
    await ruth.decide(approval, "deny")
    said = world.log[-1]
    late = said.model_copy(update={"decision": world.asks().id})
    assert await world.desk.append(late) is Void.OVER
