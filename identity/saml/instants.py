"""SAML's times: xs:dateTime in UTC (core, 1.3.3). No I/O."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tachograph.identity.saml.strict_xml import Unreadable

__all__ = ["instant"]

_FORM = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?Z")


def instant(told: str) -> float:
    """Unix time in seconds; raises `Unreadable` for anything but `YYYY-MM-DDThh:mm:ss[.fff]Z`."""
    match = _FORM.fullmatch(told.strip(" \t\r\n"))
    try:
        if match is not None:
            whole = datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp()
            return whole + float(match[2] or 0)
    except ValueError:
        pass
    raise Unreadable("a time in it is not one in UTC")
