"""`tacho credentials set|list|rotate|delete`: the encrypted store of the targets' credentials.

A value comes from standard input or a prompt, never from the command line, and no command shows one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from getpass import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from tachograph.cli import settings
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.keys import rfc3339
from tachograph.cli.output import note, print_json, table
from tachograph.cli.settings import ConfigOption, JsonOption, Settings

if TYPE_CHECKING:
    from tachograph.credentials.store import Store

__all__ = ["register"]

NameArgument = Annotated[str, typer.Argument(help="What `source: { store: NAME }` of a connection says.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True,
        help="The targets' credentials in an encrypted file; agents never see them.",
    )
    group.command("set")(set_entry)
    group.command("list")(list_entries)
    group.command("rotate")(rotate)
    group.command("delete")(delete)
    app.add_typer(group, name="credentials", rich_help_panel="Operate")


def set_entry(name: NameArgument, config: ConfigOption = None) -> None:
    """Keep a new credential; its value comes from standard input or a prompt."""
    told, store = _store(config, name)
    _changing(lambda: store.add(name, _value(name), now=rfc3339(datetime.now(UTC)), randomness=os.urandom))
    users = _users(told, name)
    note(f"Set {name}. {_use(name, users)}")


def rotate(name: NameArgument, config: ConfigOption = None) -> None:
    """Give a credential a new value. A running ingress uses it within a second; the old one stays masked."""
    told, store = _store(config, name)
    _changing(lambda: store.rotate(name, _value(name), now=rfc3339(datetime.now(UTC)), randomness=os.urandom))
    note(f"Rotated {name}. {_use(name, _users(told, name))}")


def delete(name: NameArgument, config: ConfigOption = None) -> None:
    """Forget a credential and its earlier values. A connection that uses it answers 502 after a while."""
    told, store = _store(config, name)
    _changing(lambda: store.delete(name, randomness=os.urandom))
    users = _users(told, name)
    note(f"Deleted {name}." + (f" Connections that want it: {', '.join(users)}." if users else ""))


def list_entries(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """List the entries, without their values."""
    told, store = _store(config)
    rows = [
        {
            "name": name,
            "version": entry.version,
            "created": entry.created,
            "rotated": entry.rotated,
            "connections": list(_users(told, name)),
        }
        for name, entry in sorted(store.entries().items())
    ]
    if json_output:
        print_json(rows)
        return
    shown = [
        (
            row["name"],
            row["version"],
            row["created"],
            row["rotated"] or "",
            ", ".join(_users(told, str(row["name"]))),
        )
        for row in rows
    ]
    table(
        ("name", "version", "created", "rotated", "connections"),
        shown,
        empty="No credentials yet: tacho credentials set NAME",
    )


def _store(config: ConfigOption, name: str | None = None) -> tuple[Settings, Store]:
    told = settings.load(config)
    from pydantic import ValidationError

    from tachograph.credentials.opening import store_of
    from tachograph.credentials.process import keep_memory_private
    from tachograph.schemas.secret_source import SecretSource

    keep_memory_private()
    try:
        SecretSource(store=name or "any")
    except ValidationError:
        raise WrongUse(
            "a credential's name: expected letters, digits, `.`, `_` and `-`, at most 128"
        ) from None
    return told, store_of(told.configuration.credentials, base=told.base)


def _changing(change: Callable[[], None]) -> None:
    from tachograph.credentials.errors import EntryExists, EntryMissing

    try:
        change()
    except (EntryExists, EntryMissing) as error:
        raise Refused(error.detail) from None


def _value(name: str) -> str:
    from tachograph.credentials.secret import MAX_SECRET_BYTES

    if sys.stdin.isatty():
        return getpass(f"Value of {name} (not shown): ")
    # The rule of the store says whether it will do; a byte too many is enough to know that it will not.
    return sys.stdin.buffer.read(MAX_SECRET_BYTES + 1).decode("latin-1")


def _users(told: Settings, name: str) -> tuple[str, ...]:
    from tachograph.credentials.opening import sources_of

    return tuple(user for user, source in sources_of(told.configuration) if source.store == name)


def _use(name: str, users: tuple[str, ...]) -> str:
    if users:
        return f"Used by {', '.join(users)}."
    return f"No connection uses it yet: credential: {{ source: {{ store: {name} }} }}"
