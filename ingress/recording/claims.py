"""What a client says about itself, from its headers: recorded as claimed, never trusted for access.

UUIDs stand as they came. Anything else becomes a keyed fingerprint, `~` and 16 hex digits, because a
header that should name a session may hold a secret, and the event header is stored in clear.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tachograph.schemas.event import Agent, Trace, valid_traceparent
from tachograph.schemas.keys import KeyEncryptionKey
from tachograph.schemas.payload import HeaderField

__all__ = ["NO_CLAIMS", "ClaimReader", "Claims"]

SESSION_HEADERS = ("x-claude-code-session-id", "x-tacho-session")
AGENT_HEADERS = ("x-claude-code-agent-id", "x-tacho-agent")
PARENT_HEADERS = ("x-tacho-parent",)
_NOBODY = Agent()
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_READ = frozenset((*SESSION_HEADERS, *AGENT_HEADERS, *PARENT_HEADERS, "traceparent"))


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one request."""

    agent: Agent = _NOBODY
    trace: Trace | None = None

    @property
    def trace_id(self) -> str | None:
        return self.trace.traceparent[3:35] if self.trace else None


NO_CLAIMS = Claims()


class ClaimReader:
    """Reads claims; fingerprints are the same on every worker that holds the same key-encryption key."""

    def __init__(self, kek: KeyEncryptionKey) -> None:
        self._key = kek.derive("claim fingerprint")

    def read(self, headers: Sequence[HeaderField]) -> Claims:
        """The first value of each header counts; never raises."""
        found: dict[str, str] = {}
        for name, value in headers:
            low = name.lower()
            if low in _READ and value:
                found.setdefault(low, value)
        if not found:
            return NO_CLAIMS
        agent = Agent(
            session=self._claim(found, SESSION_HEADERS),
            id=self._claim(found, AGENT_HEADERS),
            parent=self._claim(found, PARENT_HEADERS),
        )
        return Claims(agent, _trace(found.get("traceparent", "")))

    def _claim(self, found: dict[str, str], names: tuple[str, ...]) -> str | None:
        value = next((found[name] for name in names if name in found), None)
        if value is None or _UUID.fullmatch(value):
            return value
        digest = hmac.new(self._key, value.encode("utf-8", "surrogateescape"), hashlib.sha256)
        return f"~{digest.hexdigest()[:16]}"


def _trace(value: str) -> Trace | None:
    return Trace(traceparent=value) if valid_traceparent(value) else None
