"""`tacho policy check|list|test|explain|backtest`: what policies say, before and after they are in force."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tachograph.cli import settings
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.output import console, print_json, table
from tachograph.cli.registry.command import list_policies
from tachograph.cli.settings import ConfigOption, JsonOption

if TYPE_CHECKING:  # Cedar and the models take longer to load than `tacho --help` may
    from tachograph.cli.policy.described import Subject
    from tachograph.cli.policy.replay import Replay
    from tachograph.cli.settings import Settings
    from tachograph.ingress.policy.judge import CedarJudge
    from tachograph.schemas.connection import Connection

__all__ = ["register"]

EXIT_BAD = 1
MAX_SHOWN = 20
"""Changed requests that a table lists; `--json` has them all."""
_SINCE = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Files = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE]...", help="Policy files; those of the configuration by default."),
]
Candidates = Annotated[
    list[Path] | None,
    typer.Option(
        "--policy", "-p", metavar="FILE", help="A policy file in place of the configuration's; repeatable."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True, help="Who may do what: check, try, explain and backtest policies."
    )
    group.command("check")(check)
    group.command("list")(list_policies)
    group.command("test")(try_cases)
    group.command("explain")(explain)
    group.command("backtest")(backtest)
    app.add_typer(group, name="policy", rich_help_panel="Operate")


def check(files: Files = None, config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Parse and validate policy files; every problem with its file and line."""
    from tachograph.cli.policy.advice import warnings
    from tachograph.ingress.policy.errors import PoliciesRefused

    told = settings.load(config)
    try:
        judge = _judge(told, files)
    except PoliciesRefused as refused:
        if json_output:
            print_json(
                {"good": False, "problems": [asdict(item) for item in refused.problems], "warnings": []}
            )
        else:
            console().print("\n".join(map(str, refused.problems)), markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_BAD) from None
    found = warnings(judge.policies.values(), told.configuration.connections)
    if json_output:
        print_json(
            {
                "good": True,
                "digest": judge.digest,
                "policies": list(judge.policies),
                "warnings": list(map(str, found)),
            }
        )
        return
    for item in found:
        console().print(f"warning: {item}", markup=False, soft_wrap=True)
    console().print(f"{len(judge.policies)} policies, digest {judge.digest}", markup=False)


def try_cases(
    cases: Annotated[
        Path, typer.Argument(metavar="CASES", help="YAML: `cases`, each with what is expected.")
    ],
    policy: Candidates = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Hold the policies against a table of cases; exit code 1 where one comes out otherwise."""
    from tachograph.cli.policy.cases import read_cases, run_cases

    told = settings.load(config)
    judge = _strict(told, policy)
    rows = read_cases(_text(cases), file=str(cases))
    results = run_cases(rows, judge, _connections(told), now=datetime.now(UTC))
    bad = [item for item in results if not item.good]
    if json_output:
        print_json({"good": not bad, "digest": judge.digest, "cases": [item.told() for item in results]})
    else:
        out = console()
        for item in results:
            out.print(f"{'ok  ' if item.good else 'FAIL'} {item.case.title}", markup=False, soft_wrap=True)
            for line in () if item.good else item.difference():
                out.print(f"       {line}", markup=False, soft_wrap=True)
        out.print(f"{len(results) - len(bad)} of {len(results)} cases as expected", markup=False)
    raise typer.Exit(EXIT_BAD if bad else 0)


def explain(  # noqa: PLR0913, PLR0917 - each is an option of the command
    exchange: Annotated[
        str | None, typer.Argument(help="A recorded exchange; else describe a request.")
    ] = None,
    connection: Annotated[str | None, typer.Option(help="The connection that is called.")] = None,
    principal: Annotated[
        str, typer.Option(help="Who calls: a gateway key's name, or a token's subject.")
    ] = "nobody",
    kind: Annotated[str, typer.Option(help="api_key, oidc, saml or mtls.")] = "api_key",
    issuer: Annotated[str | None, typer.Option(help="Who vouches for the principal.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group of the principal; repeatable.")] = None,
    method: Annotated[str | None, typer.Option(help="The HTTP method.")] = None,
    path: Annotated[str | None, typer.Option(help="Path and query behind the connection.")] = None,
    tool: Annotated[
        str | None,
        typer.Option(help="The MCP tool that is called; on an llm connection, the one that a model calls."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model that calls the tool.")] = None,
    argument: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the tool; VALUE as JSON or text.")
    ] = None,
    body: Annotated[str | None, typer.Option(help="The body as text.")] = None,
    at: Annotated[str | None, typer.Option(help="When (RFC 3339); now by default.")] = None,
    policy: Candidates = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Say which policies apply to one request, what they read, and what follows."""
    from tachograph.cli.policy.explain import explained, lines

    told = settings.load(config)
    judge = _strict(told, policy)
    if exchange is not None:
        subject = _of_exchange(told, exchange, tool)
    elif connection is None:
        raise WrongUse("expected an exchange id, or --connection and what is asked of it")
    else:
        words = {
            "connection": connection,
            "principal": principal,
            "kind": kind,
            "issuer": issuer,
            "groups": group or (),
            "method": method,
            "path": path,
            "tool": tool,
            "model": model,
            "arguments": dict(_argument(item) for item in argument or ()),
            "body": body,
            "at": at,
        }
        subject = _of_words(told, words)
    found = explained(subject, judge)
    if json_output:
        print_json(found.told())
        return
    console().print("\n".join(lines(found)), markup=False, soft_wrap=True)


def backtest(
    files: Files = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back: 30m, 24h, 7d.")] = "24h",
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Masked events, one JSON a line, in place of OpenSearch."),
    ] = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Judge recorded requests by candidate policies: what would change, and what cannot be told."""
    from tachograph.cli.policy.replay import replay

    told = settings.load(config)
    judge = _strict(told, files)
    known = _connections(told)
    wanted = _EXCHANGES if any(map(judge.reads_tools, known.values())) else _REQUESTS
    source = _lines(events) if events is not None else _stored(told, _window(since), wanted)
    found = replay(source, judge, known)
    if json_output:
        print_json(_replayed(found, judge))
        return
    _show(found)


# -- reading ---------------------------------------------------------------------------------------


def _judge(told: Settings, files: list[Path] | None) -> CedarJudge:
    from tachograph.ingress.policy.judge import CedarJudge
    from tachograph.ingress.policy.load import confusable_issuers, read_files
    from tachograph.ingress.policy.policies import read_policies

    config = told.configuration
    paths = files or [told.base / name for name in config.policy.files]
    if not paths:
        raise WrongUse("expected policy files: name them, or set `policy.files` in the configuration")
    policies = read_policies(read_files(paths), issuers=confusable_issuers(config))
    return CedarJudge(policies, config.connections)


def _strict(told: Settings, files: list[Path] | None) -> CedarJudge:
    from tachograph.ingress.policy.errors import PoliciesRefused

    try:
        return _judge(told, files)
    except PoliciesRefused as refused:
        raise WrongUse("\n".join(map(str, refused.problems))) from None


def _connections(told: Settings) -> dict[str, Connection]:
    return {item.name: item for item in told.configuration.connections}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path}: cannot be read ({type(error).__name__})") from None


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise WrongUse("--argument: expected NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _of_words(told: Settings, words: Mapping[str, Any]) -> Subject:
    from pydantic import ValidationError

    from tachograph.cli.policy.described import Described, subject_of

    try:
        described = Described.model_validate(words)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
        raise WrongUse(f"the request: not understood at {fields or 'body, tool and argument'}") from None
    return subject_of(described, _connections(told), now=datetime.now(UTC))


def _of_exchange(told: Settings, exchange: str, tool: str | None) -> Subject:
    """Its request, or the first call of this tool in its answer."""
    from tachograph.cli.policy.recorded import read_event
    from tachograph.cli.policy.recorded_tools import Answers

    known, answers = _connections(told), Answers()
    query = {"bool": {"filter": [{"term": {"unmapped.tacho.exchange": exchange}}, _EXCHANGES]}}
    for event in _scan(told, query):
        item = read_event(event, known)
        if not isinstance(item, str):
            if tool is None:
                return item.subject
            answers.asked(item)
        elif item != "no request":
            raise Refused(f"exchange {exchange}: its request is {item}")
        for call in answers.told(event):
            if not isinstance(call, str) and call.use is not None and call.use.tool == tool:
                return call.subject
    called = "" if tool is None else f" whose answer calls the tool {tool}"
    raise Refused(f"no exchange {exchange}{called}: `tacho show` and `tacho search` have their ids")


_REQUESTS = {"term": {"unmapped.tacho.type": "request"}}
_EXCHANGES = {"terms": {"unmapped.tacho.type": ["request", "decision", "response"]}}
"""With the answers, where the tools that they call are judged."""


def _window(since: str) -> timedelta:
    match = _SINCE.fullmatch(since)
    if match is None:
        raise WrongUse("--since: expected a number and m, h or d, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _stored(told: Settings, window: timedelta, wanted: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    start = int((datetime.now(UTC) - window).timestamp() * 1000)
    yield from _scan(told, {"bool": {"filter": [wanted, {"range": {"time": {"gte": start}}}]}})


def _scan(told: Settings, query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    from tachograph.cli.documents import Documents

    documents = Documents.open(told)
    try:
        yield from (hit["_source"] for hit in documents.scan(documents.events, query))
    finally:
        documents.close()


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            value = json.loads(line) if line.strip() else {}
        except json.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise WrongUse(f"{path}:{number}: expected one masked event as JSON")
        yield value


# -- showing ---------------------------------------------------------------------------------------


def _replayed(found: Replay, judge: CedarJudge) -> dict[str, object]:
    changes = [
        {
            "exchange": item.exchange,
            "principal": item.principal,
            "connection": item.connection,
            "tool": item.tool,
            "before": item.before or None,
            "after": item.decision.effect.value,
            "policies": list(item.decision.policies),
            "reason": item.decision.reason,
        }
        for item in found.changes
    ]
    judged = {"requests": found.requests, "tool_calls": found.tool_calls}
    counts = {**judged, "same": found.same, "changed": len(changes)}
    return {
        "digest": judge.digest,
        **counts,
        "unsure": found.unsure,
        "skipped": found.skipped,
        "changes": changes,
    }


def _show(found: Replay) -> None:
    rows = [
        (
            item.exchange,
            item.principal,
            f"{item.connection}, tool {item.tool}" if item.tool else item.connection,
            f"{item.before or 'no policy'} -> {item.decision.effect.value}",
            ", ".join(item.decision.policies) or "-",
        )
        for item in found.changes[:MAX_SHOWN]
    ]
    columns = ("exchange", "principal", "connection", "change", "by")
    table(columns, rows, empty="Nothing would change.")
    out = console()
    if len(found.changes) > MAX_SHOWN:
        out.print(f"... and {len(found.changes) - MAX_SHOWN} more; --json has all", markup=False)
    for name, tally in (("cannot be told", found.unsure), ("left out", found.skipped)):
        for why, count in sorted(tally.items()):
            out.print(f"{count} {name}: {why}", markup=False)
    judged = f"{found.requests} requests" + (f", {found.tool_calls} tool calls" if found.tool_calls else "")
    out.print(f"{judged}: {found.same} as before, {len(found.changes)} changed", markup=False)
