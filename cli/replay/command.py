"""`tacho replay SESSION`: serve it back as the upstream, or ask a test target what was asked then."""

from __future__ import annotations

import os
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tachograph.cli import settings
from tachograph.cli.errors import WrongUse
from tachograph.cli.interrupt import interruptible
from tachograph.cli.output import note, print_json, ready
from tachograph.cli.patient_file import read_at_most
from tachograph.cli.settings import ConfigOption, JsonOption, Settings

if TYPE_CHECKING:
    from tachograph.cli.replay.asking import Target
    from tachograph.cli.replay.masking import Masking
    from tachograph.cli.replay.source import Recording
    from tachograph.forensics.replay.against import Values

__all__ = ["KEY_VARIABLE", "register"]

KEY_VARIABLE = "TACHO_KEY"
"""The gateway key for `--against CONNECTION`."""
MAX_VALUES_BYTES = 4 << 20
_ANEW = "a replay keeps nothing: run the same command again, and it begins anew."


AgainstOption = Annotated[
    str | None,
    typer.Option("--against", metavar="URL|CONNECTION", help="Ask a test target, and compare its answers."),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="KIND",
        help="With --against: GET, POST, tools/call ...; else GET, HEAD, tools/list. Repeatable.",
    ),
]
ValuesOption = Annotated[
    Path | None,
    typer.Option("--values", metavar="FILE", help="With --against: YAML, what masked values really are."),
]
TrustOption = Annotated[
    Path | None, typer.Option("--trust", metavar="FILE", help="With a bundle: the policy to verify it by.")
]
AnywayOption = Annotated[
    bool, typer.Option("--anyway", help="With a bundle: replay it whatever its verdict; the record says so.")
]


class Speed(StrEnum):
    """How fast answers come."""

    ORIGINAL = "original"
    FAST = "fast"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay", rich_help_panel="Evidence")(replay)


def replay(  # noqa: PLR0913, PLR0917  each is an option
    session: Annotated[
        str, typer.Argument(metavar="SESSION|FILE", help="The session's id or how it begins, or a bundle.")
    ],
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Serve it as the upstream it was.")
    ] = None,
    against: AgainstOption = None,
    speed: Annotated[
        Speed, typer.Option("--speed", help="With --listen: in the recorded time, or at once.")
    ] = Speed.ORIGINAL,
    only: OnlyOption = None,
    connection: Annotated[
        str | None,
        typer.Option("--connection", metavar="NAME", help="With --against: what was asked of this one."),
    ] = None,
    values: ValuesOption = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="NAME", help="A JSON key or parameter not to compare. Repeatable."),
    ] = None,
    trust: TrustOption = None,
    anyway: AnywayOption = False,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Run an agent again against what it saw, or a test target against what it was asked.

    Exit code 0 only where everything recorded was asked and nothing differed; of a bundle that is refused,
    its verdict's. The replay itself is recorded.
    """
    if (listen is None) == (against is None):
        raise WrongUse("say either --listen HOST:PORT or --against URL|CONNECTION")
    told = settings.load(config)
    from tachograph.cli.replay.source import from_bundle, from_store, is_bundle

    ignored = frozenset(ignore or ())
    with interruptible(_ANEW):
        found = (
            from_bundle(Path(session), trust, anyway=anyway)
            if is_bundle(session)
            else from_store(told, session)
        )
        if found.verdict is not None:
            note(f"The bundle: {found.verdict}.")
        if listen is not None:
            fast = speed is Speed.FAST
            result = _listen(told, found, listen, fast=fast, ignored=ignored, quiet=json_output)
            same = bool(result["same"])
        else:
            target = _target(told, against or "")
            chosen = _Chosen(only or [], connection, values, ignored)
            result = _against(told, found, target, chosen, quiet=json_output)
            same = not result["differing"] and not result["skipped"]
    if json_output:
        bundle = {} if found.verdict is None else {"bundle": found.verdict}
        print_json({"session": found.session} | bundle | result)
    raise typer.Exit(0 if same else 1)


def _listen(
    told: Settings, found: Recording, listen: str, *, fast: bool, ignored: frozenset[str], quiet: bool
) -> dict[str, Any]:
    from tachograph.cli.replay.report import Reporter
    from tachograph.cli.replay.serving import address, listening, serve
    from tachograph.forensics.replay.server import ReplayServer
    from tachograph.forensics.replay.tape import Tape

    sock = listening(*address(listen))
    masking, report = _masking(told, found), Reporter(quiet=quiet)
    _record(told, found, f"served at {listen}, speed {'fast' if fast else 'original'}")
    tape = Tape(found.exchanges, ignored)
    hosts = {host.lower(): item.name for item in told.configuration.connections for host in item.hosts}
    app = ReplayServer(tape, masking.request, hosts=hosts, fast=fast, told=report.asked)
    names = sorted({item.request.connection for item in found.exchanges})
    serve(
        app,
        sock,
        lambda url: ready(
            {
                "replay": url,
                "session": found.session,
                "connections": {name: f"{url}/c/{name}" for name in names if name},
                "exchanges": len(found.exchanges),
            }
        ),
    )
    summary = tape.summary()
    report.summary(summary)
    return summary


class _Chosen:
    """What is sent to a target, and what is put into it."""

    def __init__(
        self, kinds: list[str], connection: str | None, values: Path | None, ignored: frozenset[str]
    ) -> None:
        self.kinds, self.connection, self.ignored = kinds, connection, ignored
        self.values = _values(values)


def _against(
    told: Settings, found: Recording, target: Target, chosen: _Chosen, *, quiet: bool
) -> dict[str, Any]:
    from tachograph.cli.replay.asking import ask_all
    from tachograph.cli.replay.report import Reporter
    from tachograph.forensics.replay import against

    exchanges = against.chosen(found.exchanges, chosen.kinds, chosen.connection)
    names = sorted({item.request.connection for item in exchanges})
    if len(names) > 1:
        raise WrongUse(f"these were asked of {', '.join(names)}: say --connection NAME")
    masking = _masking(told, found)
    kinds = ", ".join(chosen.kinds or against.HARMLESS)
    _record(told, found, f"{len(exchanges)} requests ({kinds}) sent to {target.url}")
    result = ask_all(
        exchanges,
        target,
        values=chosen.values,
        masking=masking,
        report=Reporter(quiet=quiet),
        ignored=chosen.ignored,
    )
    note(
        f"{result['sent']} sent: {result['same']} same, {len(result['differing'])} differing;"
        f" {len(result['skipped'])} skipped."
    )
    return result


def _target(told: Settings, name: str) -> Target:
    """A URL, or a connection through the gateway, so that what it is asked is recorded as ever."""
    from tachograph.cli.replay.asking import Target

    configuration = told.configuration
    if name not in {item.name for item in configuration.connections}:
        return Target(name)
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise WrongUse(f"--against {name} goes through the gateway: put a gateway key into {KEY_VARIABLE}")
    where = configuration.ingress.listen
    host = f"[{where.host}]" if ":" in where.host else where.host
    scheme = "https" if where.tls is not None else "http"
    return Target(f"{scheme}://{host}:{where.port}/c/{name}", {"x-tacho-key": key})


def _masking(told: Settings, found: Recording) -> Masking:
    from tachograph.cli.replay.masking import Masking
    from tachograph.processors.keyfile import read_key
    from tachograph.processors.maskers import build_maskers
    from tachograph.processors.masking.pseudonyms import PseudonymKey

    key = read_key(told.base / told.configuration.keys.pseudonym_file)
    maskers = build_maskers(told.configuration, base=told.base, pseudonym_key=key)
    recorded = {item.request.ruleset for item in found.exchanges if item.request.ruleset}
    present = {maskers(item.request.connection).digest for item in found.exchanges}
    if recorded - present:
        note(
            "Masking rules have changed since this was recorded: what they mask otherwise shows as different."
        )
    return Masking(maskers, PseudonymKey.named(key), found.exchanges, clock=time.time_ns)


def _record(told: Settings, found: Recording, how: str) -> None:
    from tachograph.cli.replay.access import record_access

    record_access(told, found.session, action="replay", how=f"from {found.origin}, {how}")


def _values(file: Path | None) -> Values:
    from tachograph.forensics.replay.against import Values

    if file is None:
        return Values()
    import yaml

    try:
        text = read_at_most(file, MAX_VALUES_BYTES + 1)
        given = yaml.safe_load(text) if len(text) <= MAX_VALUES_BYTES else None
    except OSError as error:
        raise WrongUse(f"{file}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError:
        raise WrongUse(f"{file}: not YAML") from None  # its own words would quote a line of it
    return Values.of(given, file=str(file))
