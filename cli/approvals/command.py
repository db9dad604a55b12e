"""`tacho approvals|approve|deny|grants`: what waits for people, and their word on it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tachograph.cli import settings
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.output import console, note, print_json, table
from tachograph.cli.settings import ConfigOption, JsonOption, Settings

if TYPE_CHECKING:
    from tachograph.cli.approvals.desk import Desk

__all__ = ["register"]

WATCH_SECONDS = 2.0
KEY_VARIABLE = "TACHO_KEY"
"""A gateway key that speaks to the console in place of `tacho login`."""
NameOption = Annotated[
    str | None,
    typer.Option(
        "--as", metavar="NAME", help="Decide with the approvals key of this machine, under this name."
    ),
]
GroupOption = Annotated[
    list[str] | None, typer.Option("--group", metavar="GROUP", help="With --as: a group of the reviewer's.")
]
UrlOption = Annotated[
    str | None, typer.Option("--console", envvar="TACHO_CONSOLE", metavar="URL", help="The console.")
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The approval's id, or how it begins.")]
CommentOption = Annotated[
    str, typer.Option("--comment", "-m", help="Why; the agent's record and a denied agent get it.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask once more.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    panel = "Decide"
    app.command("approvals", rich_help_panel=panel)(approvals)
    app.command("approve", rich_help_panel=panel)(approve)
    app.command("deny", rich_help_panel=panel)(deny)
    app.command("grants", rich_help_panel=panel)(grants)


def approvals(
    watch: Annotated[bool, typer.Option("--watch", "-w", metavar="", help="Go on until Ctrl-C.")] = False,
    name: NameOption = None,
    group: GroupOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """List the requests that wait for people, with their masked content."""
    with _desk(config, url=url, name=name, groups=group) as desk:
        before: object = None
        while True:
            found = desk.pending()
            if found != before:
                _show(found, json_output=json_output)
            if not watch:
                return
            before = found
            time.sleep(WATCH_SECONDS)


def approve(  # noqa: PLR0913, PLR0917  each is an option
    approval: IdArgument,
    minutes: Annotated[
        int,
        typer.Option("--minutes", min=0, help="For so long every such request may go; 0 is this one only."),
    ] = 0,
    comment: CommentOption = "",
    yes: YesOption = False,
    name: NameOption = None,
    group: GroupOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let a waiting request go, after looking at what it is."""
    _check(comment)
    with _desk(config, url=url, name=name, groups=group) as desk:
        view = desk.find(approval)
        if view["shown"] is None:
            raise Refused(
                "its masked content is not there yet, and nobody approves unseen: try again shortly"
            )
        if minutes > view["max_grant_minutes"]:
            raise WrongUse(f"--minutes: expected at most {view['max_grant_minutes']}, got {minutes}")
        _confirm(view, "Approve", yes=yes or json_output)
        _told(desk.decide(view, "approve", comment=comment, minutes=minutes), json_output=json_output)


def deny(  # noqa: PLR0913, PLR0917  each is an option
    approval: IdArgument,
    comment: CommentOption = "",
    name: NameOption = None,
    group: GroupOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Turn a waiting request down; one denial ends it."""
    _check(comment)
    with _desk(config, url=url, name=name, groups=group) as desk:
        view = desk.find(approval)
        _told(desk.decide(view, "deny", comment=comment, minutes=0), json_output=json_output)


def grants(
    revoke: Annotated[
        str | None, typer.Option("--revoke", metavar="ID", help="End this grant now, everywhere.")
    ] = None,
    name: NameOption = None,
    group: GroupOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """List the grants that are in force, or end one."""
    with _desk(config, url=url, name=name, groups=group) as desk:
        if revoke is not None:
            answer: Any = desk.revoke(revoke)
            if json_output:
                print_json(answer)
            else:
                note(f"The grant of approval {answer['approval']} has ended.")
            return
        found = desk.grants()
    if json_output:
        print_json(found)
        return
    rows = [
        (each["approval"][:8], each["requester"]["id"], each["connection"], each["since"], each["until"])
        for each in found
    ]
    table(("id", "who", "connection", "since", "until"), rows, empty="No grant is in force.")


@contextmanager
def _desk(config: Any, *, url: str | None, name: str | None, groups: list[str] | None) -> Iterator[Desk]:
    told = settings.load(config)
    if groups and not name:
        raise WrongUse("--group goes with --as NAME: a console knows your groups itself")
    if name:
        from tachograph.cli.approvals.local import LocalDesk, operator

        desk: Desk = LocalDesk(told, operator(name, groups or []))
    else:
        from tachograph.cli.approvals.desk import ConsoleDesk

        desk = ConsoleDesk(url or _address(told), _credential(told))
    try:
        yield desk
    finally:
        desk.close()


def _credential(told: Settings) -> str:
    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        from tachograph.cli.login import current

        return current(told).access_token
    from tachograph.identity.api_keys import KEY_PATTERN

    if not KEY_PATTERN.fullmatch(key):
        raise WrongUse(f"{KEY_VARIABLE}: expected a gateway key, as `tacho keys create` prints it")
    return key


def _address(told: Settings) -> str:
    console_settings = told.configuration.console
    if console_settings is None:
        raise WrongUse(
            "the configuration has no `console`: name one with --console URL, or decide with the approvals "
            "key of this machine: --as NAME --group GROUP"
        )
    listen = console_settings.listen
    return console_settings.public_url or f"http://{listen.host}:{listen.port}"


def _show(found: list[dict[str, Any]], *, json_output: bool) -> None:
    if json_output:
        print_json(found)
        return
    from tachograph.cli.approvals.view import columns, row

    table(columns, [row(view) for view in found], empty="Nothing waits for anybody.")


def _check(comment: str) -> None:
    """Raises WrongUse for a comment that the log does not take."""
    from tachograph.schemas.approval import MAX_COMMENT

    if len(comment) > MAX_COMMENT or not all(char.isprintable() or char in "\n\t" for char in comment):
        raise WrongUse(f"-m: expected at most {MAX_COMMENT} printable characters")


def _confirm(view: dict[str, Any], verb: str, *, yes: bool) -> None:
    """Show what it is; at a terminal, ask."""
    from tachograph.cli.approvals.view import details, row

    _, _, ends, who, connection, what, needs, why, _ = row(view)
    if not yes:
        note(f"{who} wants {what} on {connection} (until {ends} UTC; needs {needs}): {why}")
        note(details(view["document"]))
    if not yes and sys.stdin.isatty() and not typer.confirm(f"{verb} it?"):
        raise Refused("nothing was decided")


def _told(view: dict[str, Any], *, json_output: bool) -> None:
    if json_output:
        print_json(view)
        return
    lacking = ", ".join(f"{need['missing']} of {need['group']}" for need in view["needs"] if need["missing"])
    waits = f"; it still needs {lacking}" if view["state"] == "pending" else ""
    console().print(f"{view['id']}: {view['state']}{waits}", markup=False)
