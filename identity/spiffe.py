"""SPIFFE ids: `spiffe://<trust domain>/<path>`, read as strictly as their standard writes them. No I/O."""

from __future__ import annotations

import re

__all__ = ["SCHEME", "is_spiffe_id"]

SCHEME = "spiffe://"
# SPIFFE-ID, 2.1 and 2.2: lower-case letters, digits, `.`, `-`, `_`; segments neither empty, `.` nor `..`
_ID = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*")


def is_spiffe_id(text: str) -> bool:
    """Whether it is one, in the only way it can be written."""
    return _ID.fullmatch(text) is not None
