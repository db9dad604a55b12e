"""`tacho console`: the reviewers' pages in the foreground, or a one-time link into them."""

from __future__ import annotations

import os
import time
import uuid
from typing import Annotated, Any

import typer

from tachograph.cli import settings
from tachograph.cli.errors import WrongUse
from tachograph.cli.output import note, print_json, ready
from tachograph.cli.settings import ConfigOption, JsonOption, Settings

__all__ = ["register"]

MAX_NAME = 256


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("console", rich_help_panel="Parts, one at a time")(console)


def console(
    local_login: Annotated[
        str | None,
        typer.Option("--local-login", metavar="NAME", help="Print a link that logs in once under this name."),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", metavar="GROUP", help="With it: a group of that login's.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="With it: where the console is.")
    ] = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Run the reviewers' pages, or make a one-time link into them. Prints `ready {json}` when it serves."""
    told = settings.load(config)
    if local_login is not None:
        _print_link(told, local_login, tuple(group or ()), url, json_output=json_output)
        return
    if group or url:
        raise WrongUse("--group and --url go with --local-login NAME")
    from tachograph.console import serve
    from tachograph.credentials.process import keep_memory_private

    keep_memory_private()
    serve.run(told.configuration, base=told.base, on_ready=_ready)


def _print_link(
    told: Settings, name: str, groups: tuple[str, ...], url: str | None, *, json_output: bool
) -> None:
    from tachograph.console.kafka_settings import read_key
    from tachograph.console.links import LinkKey
    from tachograph.console.local_login import LINK_MINUTES, local_link

    key = LinkKey(read_key(told.base / told.configuration.keys.approvals_file))
    if not 0 < len(name) <= MAX_NAME:
        raise WrongUse(f"--local-login: expected a name of at most {MAX_NAME} characters")
    random_id = uuid.UUID(bytes=os.urandom(16), version=4)
    where = (url or _address(told)).rstrip("/")
    link = where + local_link(key, name, groups, now_ms=time.time_ns() // 1_000_000, uid=random_id)
    if json_output:
        print_json({"url": link, "minutes": LINK_MINUTES})
        return
    typer.echo(link)
    note(f"Good once, for {LINK_MINUTES} minutes, in the console that runs now. Whoever opens it is {name}.")


def _address(told: Settings) -> str:
    from tachograph.console.serve import public_url
    from tachograph.schemas.console_settings import Console

    pages = told.configuration.console or Console()
    if pages.public_url is None and pages.listen.port == 0:
        raise WrongUse("console.listen has port 0: say where the console is with --url URL")
    return public_url(pages, pages.listen.port)


def _ready(value: dict[str, Any]) -> None:
    ready(value)
