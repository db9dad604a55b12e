"""`tacho keys create|rotate|list|revoke`: gateway API keys for agents. Each is shown once, when it is made.

`tacho keys pseudonym` says how a value is called under each pseudonym key, the current and the earlier ones.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from tachograph.cli import data_keys, settings
from tachograph.cli.api_keys import ApiKey, ApiKeys, NewKey, Scope
from tachograph.cli.errors import WrongUse
from tachograph.cli.output import console, note, print_json, table
from tachograph.cli.settings import ConfigOption, JsonOption

__all__ = ["register", "rfc3339"]

_MAX_DAYS = 3650
_MAX_OVERLAP = 24 * 365

DaysOption = Annotated[
    int | None, typer.Option("--days", min=1, max=_MAX_DAYS, help="Valid for so many days; for ever without.")
]
MAX_VALUE_BYTES = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Gateway API keys, which agents present instead of real ones; pseudonyms; and data keys.",
    )
    group.command("create")(create)
    group.command("rotate")(rotate)
    group.command("list")(list_keys)
    group.command("revoke")(revoke)
    group.command("pseudonym")(pseudonym)
    data_keys.register(group)
    app.add_typer(group, name="keys", rich_help_panel="Operate")


def create(
    name: Annotated[str, typer.Argument(help="Who it is for; it stands in every record as the principal.")],
    days: DaysOption = None,
    connection: Annotated[
        list[str] | None,
        typer.Option("--connection", help="Good for this connection only; say it again for more."),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", help="Whoever shows it is in this group; for policies.")
    ] = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make a key and show it, once."""
    now = datetime.now(UTC)
    told = settings.load(config)
    unknown = set(connection or ()) - {item.name for item in told.configuration.connections}
    if unknown:
        raise WrongUse(
            f"no connection is named {', '.join(sorted(unknown))}; see `connections` in {told.file}"
        )
    made = _keys(config).create(
        name,
        randomness=os.urandom,
        now=rfc3339(now),
        expires=_end(now, days),
        scope=Scope(tuple(connection) if connection else None, tuple(group or ())),
    )
    _show(made, json_output=json_output)


def rotate(
    key: Annotated[str, typer.Argument(help="The id or the name of the key.")],
    overlap: Annotated[
        int, typer.Option("--overlap", min=0, max=_MAX_OVERLAP, help="Hours that the old key stays valid.")
    ] = 24,
    days: Annotated[
        int | None,
        typer.Option(
            "--days",
            min=1,
            max=_MAX_DAYS,
            help="Valid for so many days; without, as long as the old one was.",
        ),
    ] = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make a successor of the same name and scope; the old key stays valid for a while, then ends."""
    now = datetime.now(UTC)
    ends = rfc3339(now + timedelta(hours=overlap))
    made = _keys(config).rotate(
        key, randomness=os.urandom, now=rfc3339(now), ends=ends, expires=_end(now, days)
    )
    _show(made, json_output=json_output)
    note(f"The key before it ends at {ends}, or when you revoke it by its id.")


def list_keys(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Show every key: its id and name, never the key."""
    entries = _keys(config).entries()
    now = rfc3339(datetime.now(UTC))
    if json_output:
        rows = [{**asdict(entry), "status": status(entry, now)} for entry in entries]
        print_json([{key: value for key, value in row.items() if key != "hash"} for row in rows])
        return
    table(
        ("id", "name", "status", "created", "expires", "connections", "groups"),
        [
            (e.id, e.name, status(e, now), e.created, e.expires or "never", _scope(e), ", ".join(e.groups))
            for e in entries
        ],
        empty="No keys yet. Make one: tacho keys create NAME",
    )


def revoke(
    key: Annotated[str, typer.Argument(help="The id or the name of the key.")],
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """End the validity of a key, or of all of that name, now; a running ingress sees it within seconds."""
    revoked = _keys(config).revoke(key, now=rfc3339(datetime.now(UTC)))
    if json_output:
        print_json([{"id": e.id, "name": e.name, "revoked": e.revoked} for e in revoked])
        return
    for entry in revoked:
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
    return "valid" if entry.valid(now) else "expired"


def rfc3339(moment: datetime) -> str:
    """A UTC time in seconds, as the key file has it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _end(now: datetime, days: int | None) -> str | None:
    return None if days is None else rfc3339(now + timedelta(days=days))


def _scope(entry: ApiKey) -> str:
    return "all" if entry.connections is None else ", ".join(entry.connections)


def _show(made: NewKey, *, json_output: bool) -> None:
    entry = made.entry
    if json_output:
        scope = {"connections": entry.connections, "groups": entry.groups}
        print_json({"id": entry.id, "name": entry.name, "key": made.text, "expires": entry.expires} | scope)
        return
    console().print(made.text, markup=False, soft_wrap=True)
    note(f"Key {entry.id} for {entry.name}. It is not shown again; its hash is all that is kept.")


def _keys(config: ConfigOption) -> ApiKeys:
    told = settings.load(config)
    return ApiKeys(told.base / told.configuration.identity.api_keys_file)
