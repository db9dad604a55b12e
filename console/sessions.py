"""Who is logged in, and which logins are under way: kept here, and known to a browser by a random id only.

An id is good for one browser, one login and a bounded time; what is kept is its hash. Every login makes a new
one, so an id that somebody planted beforehand is worth nothing after it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tachograph.console.people import Person

__all__ = ["ID_BYTES", "MAX_SESSIONS", "OneTime", "Session", "Sessions", "same"]

ID_BYTES = 32
MAX_SESSIONS = 4096
"""Beyond it the login that was used least recently ends."""

T = TypeVar("T")


@dataclass(slots=True)
class Session:
    """One login in one browser. Times are monotonic seconds."""

    person: Person
    method: str
    csrf: str = field(repr=False)
    ends: float
    seen: float


class Sessions:
    """Everybody who is logged in to this console."""

    def __init__(
        self,
        *,
        seconds: float,
        idle_seconds: float,
        monotonic: Callable[[], float],
        randomness: Callable[[int], bytes],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` is Unix time in seconds: by it, what a login proved may end sooner."""
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._now = now
        self._monotonic = monotonic
        self._randomness = randomness
        self._open: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, person: Person, *, method: str) -> str:
        """A new session's id, for the cookie."""
        now = self._monotonic()
        self._sweep(now)
        if len(self._open) >= MAX_SESSIONS:
            del self._open[min(self._open, key=lambda key: self._open[key].seen)]
        made, csrf = self._randomness(ID_BYTES).hex(), self._randomness(ID_BYTES).hex()
        ends = now + min(self._seconds, person.proof.expires - self._now())
        self._open[_hash(made)] = Session(person, method, csrf, ends=ends, seen=now)
        return made

    def find(self, told: str) -> Session | None:
        """The session of a cookie's id, if it is open; it has been seen then."""
        found, now = self._open.get(_hash(told)), self._monotonic()
        if found is None:
            return None
        if self._over(found, now):
            self.end(told)
            return None
        found.seen = now
        return found

    def live(self, session: Session) -> bool:
        """Whether it is still open; asking does not keep it so."""
        return not self._over(session, self._monotonic()) and session in self._open.values()

    def end(self, told: str) -> None:
        """Forget it."""
        self._open.pop(_hash(told), None)

    def _over(self, session: Session, now: float) -> bool:
        return now >= session.ends or now >= session.seen + self._idle_seconds

    def _sweep(self, now: float) -> None:
        for key in [key for key, each in self._open.items() if self._over(each, now)]:
            del self._open[key]


class OneTime(Generic[T]):
    """Values that are taken once, by a random id, within a time; the oldest go when there are too many."""

    def __init__(
        self,
        *,
        seconds: float,
        most: int,
        monotonic: Callable[[], float],
        randomness: Callable[[int], bytes],
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._monotonic = monotonic
        self._randomness = randomness
        self._kept: dict[bytes, tuple[float, T]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, value: T) -> str:
        """The id under which it can be taken."""
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        made = self._randomness(ID_BYTES).hex()
        self._kept[_hash(made)] = (self._monotonic() + self._seconds, value)
        return made

    def take(self, told: str) -> T | None:
        """The value, if it is there and its time is not over; then it is gone."""
        ends, value = self._kept.pop(_hash(told), (0.0, None))
        return value if self._monotonic() < ends else None


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _hash(told: str) -> bytes:
    return hashlib.sha256(told.encode("utf-8", "replace")).digest()
