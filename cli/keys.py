"""`tacho keys create|list|revoke`: gateway API keys for agents. A key is shown once, when it is made.

`tacho keys pseudonym` says how a value is called under each pseudonym key, the current and the earlier ones.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from tachograph.cli import settings
from tachograph.cli.api_keys import ApiKey, ApiKeys
from tachograph.cli.errors import WrongUse
from tachograph.cli.output import console, note, print_json, table
from tachograph.cli.settings import ConfigOption, JsonOption

__all__ = ["register", "rfc3339"]

_MAX_DAYS = 3650
MAX_VALUE_BYTES = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Gateway API keys, which agents present instead of real ones; and pseudonyms.",
    )
    group.command("create")(create)
    group.command("list")(list_keys)
    group.command("revoke")(revoke)
    group.command("pseudonym")(pseudonym)
    app.add_typer(group, name="keys", rich_help_panel="Operate")


def create(
    name: Annotated[str, typer.Argument(help="Who it is for; it stands in every record as the principal.")],
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, max=_MAX_DAYS, help="Valid for so many days; for ever without."),
    ] = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make a key and show it, once."""
    now = datetime.now(UTC)
    expires = None if days is None else rfc3339(now + timedelta(days=days))
    made = _keys(config).create(name, randomness=os.urandom, now=rfc3339(now), expires=expires)
    if json_output:
        print_json({"id": made.entry.id, "name": name, "key": made.text, "expires": expires})
        return
    console().print(made.text, markup=False, soft_wrap=True)
    note(f"Key {made.entry.id} for {name}. It is not shown again; its hash is all that is kept.")


def list_keys(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Show every key: its id and name, never the key."""
    entries = _keys(config).entries()
    now = rfc3339(datetime.now(UTC))
    if json_output:
        rows = [{**asdict(entry), "status": status(entry, now)} for entry in entries]
        print_json([{key: value for key, value in row.items() if key != "hash"} for row in rows])
        return
    table(
        ("id", "name", "status", "created", "expires"),
        [(e.id, e.name, status(e, now), e.created, e.expires or "never") for e in entries],
        empty="No keys yet. Make one: tacho keys create NAME",
    )


def revoke(
    key: Annotated[str, typer.Argument(help="The id or the name of the key.")],
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """End a key's validity now; a running ingress sees it within seconds."""
    entry = _keys(config).revoke(key, now=rfc3339(datetime.now(UTC)))
    if json_output:
        print_json({"id": entry.id, "name": entry.name, "revoked": entry.revoked})
        return
    note(f"Key {entry.id} for {entry.name} is revoked.")


def pseudonym(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="The marker's type, such as GITHUB_TOKEN.")],
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Read a value from standard input and show its marker under every pseudonym key, the current one first.

    So a search for an old marker and one for a new find the same value on both sides of a change of keys.
    """
    told = settings.load(config)
    from tachograph.processors.keyfile import read_key
    from tachograph.processors.masking.pseudonyms import PseudonymKey

    if sys.stdin.isatty():
        note("Type the value, then Enter and Ctrl-D; it is not kept.")
    value = sys.stdin.buffer.read(MAX_VALUE_BYTES + 1).rstrip(b"\r\n")
    if not value or len(value) > MAX_VALUE_BYTES:
        raise WrongUse(f"standard input: expected a value of 1 to {MAX_VALUE_BYTES} bytes")
    files = (told.configuration.keys.pseudonym_file, *told.configuration.keys.pseudonym_previous)
    keys = [(name, PseudonymKey.named(read_key(told.base / name))) for name in files]
    rows = [
        {"key": key.key_id, "file": name, "marker": key.marker(kind.upper(), value).decode()}
        for name, key in keys
    ]
    if json_output:
        print_json(rows)
        return
    table(("key", "file", "marker"), [tuple(row.values()) for row in rows], empty="")


def status(entry: ApiKey, now: str) -> str:
    """`valid`, `revoked` or `expired` at a time of the same form."""
    if entry.revoked is not None:
        return "revoked"
    return "expired" if entry.expires is not None and entry.expires <= now else "valid"


def rfc3339(moment: datetime) -> str:
    """A UTC time in seconds, as the key file has it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _keys(config: ConfigOption) -> ApiKeys:
    told = settings.load(config)
    return ApiKeys(told.base / told.configuration.identity.api_keys_file)
