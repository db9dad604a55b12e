"""`tacho sessions`, `tacho show`, `tacho search`: what happened, read from OpenSearch."""

from __future__ import annotations

from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tachograph.cli import settings
from tachograph.cli.gone import gone, without_names
from tachograph.cli.output import console, note, print_json, say, table
from tachograph.cli.settings import ConfigOption, JsonOption
from tachograph.cli.story import told

if TYPE_CHECKING:
    from tachograph.cli.documents import Documents

__all__ = ["register"]

_NOTHING_YET = "Nothing is on record yet. Send an agent through: tacho up, then use its URL /c/<connection>."
_NOTHING_OF_IT = (
    "No event of session {0} is on record, and no statement says that it was deleted: "
    "`tacho verify --live --session {0}` says what is missing."
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    panel = "Look at what happened"
    app.command("sessions", rich_help_panel=panel)(sessions)
    app.command("show", rich_help_panel=panel)(show)
    app.command("search", rich_help_panel=panel)(search)


def sessions(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1000, help="How many, newest first.")
    ] = 20,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """List sessions: who, when, how many exchanges, tokens, cost."""
    found = _documents(config).sessions(limit)
    if json_output:
        print_json([asdict(item) for item in found])
        return
    rows = [
        (
            item.session,
            item.principal,
            item.ended.replace("T", " ")[:19],
            item.exchanges,
            item.failures,
            item.tokens,
            f"{item.cost_usd:.4f}",
            ", ".join(item.models),
        )
        for item in found
    ]
    columns = ("session", "principal", "last seen (UTC)", "exchanges", "failed", "tokens", "USD", "models")
    table(columns, rows, empty=_NOTHING_YET)


def show(
    session: Annotated[str, typer.Argument(help="The session's id, or how it begins.")],
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Tell one session's story in order: requests, responses, tool calls, tokens, cost."""
    documents = _documents(config)
    name = documents.resolve(session)
    found, statements = list(documents.story(name)), documents.deletions(name)
    if json_output:
        print_json(found + [without_names(item) for item in statements])
        return
    columns, lines = ("time (UTC)", "", "connection", "what", "status", "numbers", "text"), gone(statements)
    if found or not lines:
        table(columns, [astuple(one) for one in told(found)], empty=_NOTHING_OF_IT.format(name))
    for text in lines:
        say(text)
    if lines:
        note(f"So say their statements: `tacho verify --live --session {name}` checks them.")
    if len(found) >= documents.max_hits:
        note(f"The first {documents.max_hits} events; narrow it down with `tacho search`.")


def search(
    query: Annotated[str, typer.Argument(help="Words, or field:value with AND, OR, NOT, ranges, wildcards.")],
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1000, help="How many, newest first.")
    ] = 20,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Search everything on record, full text and fields: 'http_response.code:>=400 AND payment'."""
    total, found = _documents(config).search(query, limit)
    if json_output:
        print_json({"total": total, "hits": found})
        return
    rows = [
        (source.get("unmapped", {}).get("tacho", {}).get("session", "")[:8], *astuple(one))
        for source, one in zip(found, told(found), strict=True)
    ]
    columns = ("session", "time (UTC)", "", "connection", "what", "status", "numbers", "text")
    table(columns, rows, empty=f"Nothing matches. All sessions: tacho sessions. ({query})")
    if total > len(found):
        console().print(f"{total} match, the newest {len(found)} are shown (--limit).", markup=False)


def _documents(config: Path | None) -> Documents:
    from tachograph.cli.documents import Documents

    return Documents.open(settings.load(config))
