"""One pending approval as a line of a table, from what the console's API says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tachograph.cli.story import line

__all__ = ["columns", "row"]

columns = ("id", "asked (UTC)", "ends (UTC)", "who", "connection", "what", "needs", "why", "text")


def row(view: Mapping[str, Any]) -> tuple[str, ...]:
    """One pending approval as a line of a table."""
    told = line(view["document"]) if view["document"] else None
    lacking = (f"{need['missing']} of {need['group']}" for need in view["needs"] if need["missing"])
    return (
        view["id"][:8],
        view["asked"][11:19],
        view["expires"][11:19],
        str(view["requester"]["id"]),
        view["connection"],
        told.what if told else "(not masked yet)",
        ", ".join(lacking),
        "; ".join(need["reason"] for need in view["needs"] if need["reason"]),
        told.text if told else "",
    )
