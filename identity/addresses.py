"""Which addresses of an issuer are asked: HTTPS, or plain HTTP on this very machine. Nothing else is safe."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["safe"]


def safe(url: str) -> bool:
    """Whether what comes from there came unaltered, as far as its address says."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    if parts.scheme != "http":
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
