"""Which connection a request is for: `/c/<connection>/...`, or a host name of the connection's own.

The agent's bytes choose among what is registered; they never become an address. An absolute-form target is
read for its path only (RFC 9112, 3.2.2): its host selects nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tachograph.schemas.connection import Connection

__all__ = ["Route", "Routes"]

_PREFIXED = re.compile(r"/c/([^/?#]+)(.*)", re.DOTALL)
_ABSOLUTE = re.compile(r"https?://[^/?#]*(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Route:
    """`connection` is None where nothing is registered; `target` is what is left as sent, perhaps empty."""

    connection: Connection | None
    target: str


class Routes:
    """The registered connections by name and by host."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._names: dict[str, Connection] = {}
        self._hosts: dict[str, Connection] = {}
        for connection in connections:
            self._names[connection.name] = connection
            self._hosts.update({host.lower(): connection for host in connection.hosts})

    def find(self, target: str, host: str) -> Route:
        """The route of a request by its target and `Host` field. A connection's own host wins over a path."""
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None and self._hosts:
            owner = self._hosts.get(host.lower()) or self._hosts.get(_without_port(host.lower()))
            if owner is not None:
                return Route(owner, target)
        path = absolute[1] if absolute else target
        match = _PREFIXED.fullmatch(path)
        if match is None:
            return Route(None, path)
        connection = self._names.get(match[1])
        return Route(None, path) if connection is None else Route(connection, match[2])


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host
