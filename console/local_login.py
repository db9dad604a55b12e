"""Login by a link that whoever holds the approvals key has signed: for one machine, and for a first look.

A link is good once, for a few minutes, and only in a console that was running when it was made: so a restart
forgets nothing that matters. Nobody is logged in by merely opening it; a button has to be pressed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from tachograph.console.errors import Forbidden
from tachograph.console.links import LinkKey, LocalLogin
from tachograph.console.people import Person
from tachograph.identity.proof import Proof
from tachograph.schemas.event import Principal, PrincipalKind

__all__ = ["LINK_MINUTES", "LocalLinks", "local_link"]

LINK_MINUTES = 5
MAX_USED = 10_000


def local_link(key: LinkKey, principal: str, groups: tuple[str, ...], *, now_ms: int, uid: uuid.UUID) -> str:
    """The path of a link that lets whoever opens it in as `principal`."""
    until = now_ms + LINK_MINUTES * 60_000
    link = LocalLogin(id=uid, made_ms=now_ms, until_ms=until, principal=principal, groups=groups)
    return f"/local/{key.sign(link)}"


class LocalLinks:
    """Links of this kind in one console."""

    def __init__(self, key: LinkKey, *, wall_ms: Callable[[], int]) -> None:
        self._key = key
        self._wall_ms = wall_ms
        self._since_ms = wall_ms()
        self._used: dict[uuid.UUID, int] = {}

    def look(self, told: str) -> LocalLogin:
        """What the link says, without using it up; raises `Forbidden`."""
        now = self._wall_ms()
        link = self._key.read(told, LocalLogin, now_ms=now)
        if not self._since_ms <= link.made_ms <= now:
            raise Forbidden("This link was made before this console started: make another.")
        if link.id in self._used:
            raise Forbidden("This link was used before: make another.")
        return link

    def use(self, told: str) -> Person:
        """Who is let in by it; it is used up then. Raises `Forbidden`."""
        link = self.look(told)
        now = self._wall_ms()
        self._used = {uid: until for uid, until in self._used.items() if until > now}
        if len(self._used) >= MAX_USED:
            raise Forbidden("Too many such links were used just now: wait a few minutes.")
        self._used[link.id] = link.until_ms
        principal = Principal(id=link.principal, kind=PrincipalKind.GATEWAY)
        return Person(Proof(principal, groups=frozenset(link.groups)), via="local")
