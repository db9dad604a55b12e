"""`tacho apply|diff|connections` and `tacho policy list`: what is registered, compared, put in force."""

from __future__ import annotations

import getpass
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tachograph.cli import settings
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.output import console, print_json, table
from tachograph.cli.settings import ConfigOption, JsonOption, Settings

if TYPE_CHECKING:
    from tachograph.cli.registry.changes import Change
    from tachograph.cli.registry.topic import ControlTopic
    from tachograph.schemas.control import ControlBook
    from tachograph.schemas.registry import Registry

__all__ = ["list_policies", "register"]

EXIT_DIFFERENT = 1
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
Place = Annotated[
    Path | None, typer.Argument(metavar="FOLDER|FILE", help="A folder of files, or a configuration file.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    panel = "Operate"
    app.command("apply", rich_help_panel=panel)(apply)
    app.command("diff", rich_help_panel=panel)(diff)
    app.command("connections", rich_help_panel=panel)(connections)


def apply(  # noqa: PLR0913, PLR0917  each is an option
    place: Place = None,
    comment: Annotated[str, typer.Option("--comment", "-m", help="Why; kept with the version.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Check and show, no more.")] = False,
    expect: Annotated[
        int | None, typer.Option("--expect", min=0, help="Only if this version is in force; 0 is none yet.")
    ] = None,
    rollback: Annotated[
        int | None, typer.Option("--rollback", min=1, metavar="VERSION", help="Apply this version once more.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask once more.")] = False,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Put connections, policies and masking rules in force, in every part within a second."""
    told = settings.load(config)
    if told.configuration.registry.source != "topic":
        raise WrongUse(
            "registry.source is `file`, so no part follows what is applied: set `registry: {source: topic}`"
            " in the configuration and start the parts again"
        )
    _check(comment)
    from tachograph.cli.registry.changes import changes
    from tachograph.cli.registry.sources import check_policies_stay
    from tachograph.cli.registry.topic import Word

    topic = _topic(told)
    book = topic.read()
    registry = _wanted(told, book, place, rollback)
    before = _to_replace(told, book)
    if place is not None:
        check_policies_stay(before, registry)
    found = changes(before, registry)
    if not json_output:
        _show(found)
    version = book.current.version if book.current else 0
    if dry_run or (not found and version and not book.lost):
        _say(version, registry.digest, len(found), applied=False, json_output=json_output)
        return
    if sys.stdout.isatty() and not yes and not json_output and not typer.confirm("Apply this?"):
        raise Refused("nothing was applied")
    word = Word(_whoami(), comment or _reason(rollback), version if expect is None else expect)
    release = topic.release(registry, word)
    _say(release.version, release.digest, len(found), applied=True, json_output=json_output)


def diff(place: Place = None, config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Compare with what is in force. Exit code 1 when something differs."""
    told = settings.load(config)
    book = _book(told)
    found = _compared(told, book, _wanted(told, book, place, None))
    if json_output:
        changed = [{"what": one.what, "action": one.action, "lines": list(one.lines)} for one in found]
        print_json({"different": bool(found), "changes": changed})
    else:
        _show(found)
    raise typer.Exit(EXIT_DIFFERENT if found else 0)


def connections(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """List the connections in force."""
    told = settings.load(config)
    book = _book(told)
    registry = _in_force(told, book)
    if json_output:
        listed = [one.model_dump(mode="json") for one in registry.connections]
        print_json({"version": _version(book), "digest": registry.digest, "connections": listed})
        return
    rows = [
        (one.name, one.protocol.value, one.upstream, " ".join(one.allow), _labels(one.labels))
        for one in registry.connections
    ]
    table(("name", "protocol", "upstream", "allow", "labels"), rows, empty="No connections are registered.")


def list_policies(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """List the policies in force."""
    told = settings.load(config)
    from tachograph.ingress.policy.load import confusable_issuers
    from tachograph.ingress.policy.policies import PolicyFile, read_policies

    book = _book(told)
    files = [PolicyFile(one.file, one.text) for one in _in_force(told, book).policies]
    found = read_policies(files, issuers=confusable_issuers(told.configuration)) if files else ()
    rows = [
        {
            "id": one.id,
            "effect": "permit" if one.permit else "forbid",
            "approval": one.approval.group if one.approval is not None else "",
            "place": one.place,
            "reason": one.reason,
        }
        for one in found
    ]
    if json_output:
        print_json({"version": _version(book), "policies": rows})
        return
    empty = "No policies: the connections' `allow` decides alone."
    table(("id", "effect", "approval", "place", "reason"), [tuple(row.values()) for row in rows], empty=empty)


# -- what is in force, what is wanted --------------------------------------------------------------


def _topic(told: Settings) -> ControlTopic:
    from tachograph.cli.registry.topic import ControlTopic

    return ControlTopic(told)


def _book(told: Settings) -> ControlBook | None:
    return _topic(told).read() if told.configuration.registry.source == "topic" else None


def _version(book: ControlBook | None) -> int:
    return book.current.version if book is not None and book.current is not None else 0


def _in_force(told: Settings, book: ControlBook | None) -> Registry:
    from tachograph.cli.registry.sources import of_configuration
    from tachograph.schemas.registry import Registry

    if book is None or book.current is None:
        return of_configuration(told.configuration, base=told.base)
    data = book.snapshot(book.current.digest)
    if data is None:
        raise Refused(
            f"version {book.current.version} is in force and its snapshot is gone from the control topic:"
            " `tacho apply` it once more"
        )
    return Registry.parse(data)


def _to_replace(told: Settings, book: ControlBook) -> Registry:
    """What a release is compared with: nothing, where the snapshot in force is gone."""
    from tachograph.schemas.registry import Registry

    return Registry() if book.lost else _in_force(told, book)


def _wanted(told: Settings, book: ControlBook | None, place: Path | None, rollback: int | None) -> Registry:
    from tachograph.cli.registry.sources import check, read_registry
    from tachograph.schemas.registry import Registry

    if (place is None) == (rollback is None):
        raise WrongUse("expected a folder or a file, or `--rollback VERSION`")
    if place is not None:
        return read_registry(place, told.configuration)
    release = book.releases.get(rollback or 0) if book is not None else None
    data = book.snapshot(release.digest) if book is not None and release is not None else None
    if data is None:
        known = ", ".join(map(str, sorted(book.releases))) if book is not None else ""
        raise Refused(f"version {rollback} is not kept; there are: {known or 'none'}")
    registry = Registry.parse(data)
    check(registry, told.configuration)
    return registry


def _compared(told: Settings, book: ControlBook | None, registry: Registry) -> tuple[Change, ...]:
    from tachograph.cli.registry.changes import changes

    return changes(_in_force(told, book), registry)


# -- showing ---------------------------------------------------------------------------------------


def _show(found: tuple[Change, ...]) -> None:
    out = console()
    if not found:
        out.print("Nothing differs from what is in force.", markup=False)
    for change in found:
        out.print(Text(f"{_SIGNS[change.action]} {change.what}", style="bold"), soft_wrap=True)
        for line in change.lines:
            out.print(Text(f"    {line}", style=_COLOURS.get(line[:1], "")), soft_wrap=True)


def _say(version: int, digest: str, count: int, *, applied: bool, json_output: bool) -> None:
    if json_output:
        print_json({"applied": applied, "version": version, "digest": digest, "changes": count})
    elif applied:
        console().print(f"Applied: version {version}, digest {digest}.", markup=False, soft_wrap=True)
    else:
        console().print(f"Nothing was applied; version {version} is in force.", markup=False)


def _labels(labels: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in labels.items())


def _check(comment: str) -> None:
    from tachograph.schemas.control import MAX_COMMENT

    if len(comment) > MAX_COMMENT or not comment.isprintable():
        raise WrongUse(f"--comment: expected one line of at most {MAX_COMMENT} printable characters")


def _reason(rollback: int | None) -> str:
    return "" if rollback is None else f"rollback to version {rollback}"


def _whoami() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"unknown@{socket.gethostname()}"
