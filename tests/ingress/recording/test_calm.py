"""Who is held up goes on when there is room, or is told why not, within a bound."""

import asyncio

import pytest

from tachograph.ingress.errors import RecorderFull
from tachograph.ingress.recording import calm as module
from tachograph.ingress.recording.calm import Calm


async def test_nobody_is_held_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the recorder longer than the bound is told why; who came later waits on."""
    calm = Calm()
    early = asyncio.create_task(calm.wait())
    await asyncio.sleep(0)
    monkeypatch.setattr(module, "CALM_SECONDS", -1.0)
    calm.expire("the spool is full")
    monkeypatch.undo()
    late = asyncio.create_task(calm.wait())
    await asyncio.sleep(0)
    calm.expire("the spool is full")
    with pytest.raises(RecorderFull, match="full"):
        await early
    assert not late.done()
    calm.release()
    await late


async def test_who_has_left_is_told_nothing() -> None:
    """An agent that went away meanwhile is no error."""
    calm = Calm()
    gone = asyncio.create_task(calm.wait())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    calm.release()
    assert gone.cancelled()
