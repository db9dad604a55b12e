"""What is good once: requests that we made, and ids of assertions that let somebody in. In memory, bounded.

A restart forgets both, and that is safe: an answer is taken only to a request that is remembered here, so
after a restart no answer from before it is taken at all; whoever was under way begins again.
"""

from __future__ import annotations

from collections.abc import Callable

from tachograph.identity.errors import LoginRefused, Unproven

__all__ = ["LOGIN_SECONDS", "MAX_OPEN", "MAX_USED", "OpenRequests", "UsedAssertions"]

LOGIN_SECONDS = 900.0
"""How long a person may take at the provider."""
MAX_OPEN = 4096
"""Beyond it the login that began first is forgotten."""
MAX_USED = 16_384
KEEP_SECONDS = 2 * LOGIN_SECONDS
"""No answer to a request comes later than `LOGIN_SECONDS`, so neither does a copy of one."""


class OpenRequests:
    """Requests whose answers have not come yet."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, request_id: str) -> None:
        while len(self._ends) >= MAX_OPEN:
            del self._ends[next(iter(self._ends))]
        self._ends[request_id] = self._monotonic() + LOGIN_SECONDS

    def take(self, request_id: str) -> None:
        """Forget it; raises `LoginRefused` unless it was open."""
        if self._monotonic() >= self._ends.pop(request_id, 0.0):
            raise LoginRefused("this login is over, or was answered before: begin again")


class UsedAssertions:
    """Ids of assertions that let somebody in."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def use(self, assertion_id: str) -> None:
        """Remember it; raises `Unproven` if it was used before, `LoginRefused` where there is no room."""
        now = self._monotonic()
        if self._ends.get(assertion_id, 0.0) > now:
            raise Unproven("the assertion was used before")
        if len(self._ends) >= MAX_USED:
            self._ends = {name: end for name, end in self._ends.items() if end > now}
        if len(self._ends) >= MAX_USED:  # all of them verified: nobody is let in whom we could not remember
            raise LoginRefused("too many people log in just now: try again in a few minutes")
        self._ends[assertion_id] = now + KEEP_SECONDS
