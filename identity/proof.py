"""What a checked credential proves: who it is, in which groups, for which connections, until when."""

from __future__ import annotations

from dataclasses import dataclass

from tachograph.schemas.event import Principal

__all__ = ["FOR_EVER", "Proof"]

FOR_EVER = float("inf")


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody's verified identity. Who acts for them is in `principal.actors`."""

    principal: Principal
    groups: frozenset[str] = frozenset()
    """As the issuer or the key says; a decision about access may rest on them."""
    connections: frozenset[str] | None = None
    """The only connections that the credential is good for; None for no such limit."""
    expires: float = FOR_EVER
    """Unix time in seconds, clock skew included; from then on it proves nothing."""

    def covers(self, connection: str) -> bool:
        """Whether the credential may be used on a connection of this name."""
        return self.connections is None or connection in self.connections
