"""Strands are opened: a data key is wrapped before anything is recorded under it, once for all who wait.

A provider that answers from memory is asked in place, and nobody waits. One that is elsewhere is asked by a
few threads, within `WRAP_SECONDS`; until it has answered, nothing of the session is recorded or forwarded.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog

from tachograph.credentials.errors import CredentialsError
from tachograph.ingress.errors import KeysAway
from tachograph.ingress.recording.sessions import Basis, OpenStrand, Strands
from tachograph.ingress.recording.strand import Strand
from tachograph.ingress.spool.frames import SpoolEntry
from tachograph.schemas.event import Principal
from tachograph.schemas.key_ring import KeyProvider
from tachograph.schemas.keys import WrappedKey

__all__ = ["WRAP_SECONDS", "Openings", "Wrapping"]

WRAP_SECONDS = 5.0
"""The longest that anybody waits for a data key to be wrapped, for a free thread included."""
WRAP_THREADS = 4
OPEN_TRIES = 3
"""How often a session is opened for one exchange: a full table may close it again before it is used."""
LOG_SECONDS = 10.0
"""How often an outage is logged while it lasts."""

_log = structlog.get_logger(__name__)


class Wrapping:
    """The key provider as the event loop may ask it."""

    def __init__(self, keys: KeyProvider, *, seconds: float = WRAP_SECONDS) -> None:
        self._keys = keys
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._threads = None if keys.local else ThreadPoolExecutor(WRAP_THREADS, "wrap")
        self._logged: float | None = None
        self.away = False
        """Whether the last question was in vain."""

    @property
    def local(self) -> bool:
        """Whether nobody waits for it."""
        return self._threads is None

    async def __call__(self, strand: Strand) -> WrappedKey:
        """The strand's data key, wrapped. Raises `KeysAway`."""
        if self._threads is None:
            return self._keys.wrap(strand.name, strand.data_key)
        asked = self._loop.run_in_executor(self._threads, self._keys.wrap, strand.name, strand.data_key)
        try:
            wrapped = await asyncio.wait_for(asked, self._seconds)
        except TimeoutError:
            self._missed(f"no answer within {self._seconds:g} s")
            raise KeysAway(f"no data key was wrapped within {self._seconds:g} s") from None
        except CredentialsError as error:
            self._missed(error.detail)  # not for agents: it names places
            raise KeysAway("no data key can be wrapped") from None
        self.away = False
        return wrapped

    def close(self) -> None:
        """Whoever waits gets nothing more; a thread that asks already ends by the provider's own bound."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _missed(self, reason: str) -> None:
        self.away = True
        now = self._loop.time()
        if self._logged is None or now - self._logged >= LOG_SECONDS:
            self._logged = now
            _log.error("data_keys_not_wrapped", reason=reason)


class Openings:
    """What is being opened; whoever wants a session that is waits for the same opening."""

    def __init__(
        self,
        wrapping: Wrapping,
        strands: Strands,
        *,
        make: Callable[[uuid.UUID, Principal], Strand],
        append: Callable[[Sequence[SpoolEntry]], None],
        admit: Callable[[], Coroutine[None, None, None]],
    ) -> None:
        """`append` records; `admit` says again that something can be, after a while of waiting."""
        self._wrapping = wrapping
        self._strands = strands
        self._make = make
        self._append = append
        self._admit = admit
        self._now = asyncio.get_running_loop().time
        self._under_way: dict[uuid.UUID, asyncio.Task[None]] = {}

    async def held(
        self, session: uuid.UUID, principal: Principal, basis: Basis, *, registry: str | None
    ) -> OpenStrand:
        """The session's strand, opened for one exchange at least. Raises `KeysAway` and `RecorderFull`."""
        begin = partial(self._begin, session, principal, basis, registry)
        for _ in range(OPEN_TRIES):
            if self._wrapping.local:
                await begin()
            else:
                await self._shared(session, begin)
                await self._admit()
            held = self._strands.hold(session, now=self._now(), registry=registry)
            if held is not None:
                return held
        raise KeysAway("more sessions begin than can be open")

    def close(self) -> None:
        """Open no more."""
        for task in self._under_way.values():
            task.cancel()
        self._wrapping.close()

    async def _shared(self, session: uuid.UUID, begin: Callable[[], Coroutine[None, None, None]]) -> None:
        task = self._under_way.get(session)
        if task is None:
            task = self._under_way[session] = asyncio.create_task(begin())
            task.add_done_callback(partial(self._ended, session))
        await asyncio.shield(task)  # an agent that leaves does not take it from the others

    def _ended(self, session: uuid.UUID, task: asyncio.Task[None]) -> None:
        del self._under_way[session]
        if not task.cancelled():
            task.exception()  # perhaps nobody waits any more

    async def _begin(
        self, session: uuid.UUID, principal: Principal, basis: Basis, registry: str | None
    ) -> None:
        strand = self._make(session, principal)
        wrapped = await self._wrapping(strand)
        self._append(self._strands.begin(strand, wrapped, basis, now=self._now(), registry=registry))
