"""Where a connection's requests go: the configured URL, taken apart once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Target", "parse_target"]

# RFC 3986, 3.3 and 5.2.4, with what lenient servers take for a slash or decode before they look.
_SLASH = r"(?:[/\\]|%(?i:2f|5c))"
_DOT = r"(?:\.|%(?i:2e))"
_CLIMBS = re.compile(rf"{_SLASH}{_DOT}{{2}}(?:;[^/]*)?(?:{_SLASH}|$)")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """Address, `Host` field and path prefix of one upstream."""

    host: str
    port: int
    tls: bool
    authority: str
    """What the upstream is called in `Host`: no port where it is the scheme's own."""
    prefix: str
    """Put before every path; empty, or begins with a slash and does not end with one."""

    def escapes(self, rest: str) -> bool:
        """Whether `rest` climbs, by `..`, out of a prefix to which the configuration confines it."""
        return bool(self.prefix) and _CLIMBS.search(re.split("[?#]", rest, maxsplit=1)[0]) is not None

    def path(self, rest: str) -> str:
        """The request target for the upstream; `rest` is what the agent sent after its connection."""
        return (self.prefix + rest) if rest.startswith("/") else f"{self.prefix or '/'}{rest}"


def parse_target(url: str) -> Target:
    """From a URL that the configuration has already checked."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == _DEFAULT_PORTS[parts.scheme] else f"{shown}:{port}"
    return Target(host, port, parts.scheme == "https", authority, parts.path.rstrip("/"))
