"""One pending approval for a person: as a line of a table, and as all that is stored of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tachograph.cli.story import line
from tachograph.console.views import RequestView, request_view

__all__ = ["columns", "details", "row"]

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


def details(document: Mapping[str, Any]) -> str:
    """The masked request as it is stored, whole: what somebody decides on who has no page to look at."""
    view = request_view(document)
    return "\n".join(_lines(view))


def _lines(view: RequestView) -> Iterator[str]:
    yield f"{view.method} {view.target}"
    yield from (f"{name}: {value}" for name, value in view.headers)
    call = f"{view.rpc_method} {view.tool}".strip() or view.model
    if call:
        yield call
    yield from (text for text in (view.arguments, view.prompt, view.body) if text)
    yield from (f"! {note}" for note in view.notes)
