"""`tacho export SESSION`, `tacho verify FILE`, `tacho trust`: evidence taken out, and checked elsewhere.

What a running system has is checked by `tacho verify --live`. That, and `tacho erase` and `tacho retention`,
which take away what is, have files of their own.
"""

from __future__ import annotations

import getpass
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tachograph.cli import settings
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.evidence import witness
from tachograph.cli.evidence.audit import audit
from tachograph.cli.evidence.erase import erase
from tachograph.cli.evidence.retention import retention
from tachograph.cli.evidence.trusted import own_policy, read_policy, signing
from tachograph.cli.output import console, note, print_json, say
from tachograph.cli.settings import ConfigOption, JsonOption

if TYPE_CHECKING:
    from tachograph.cli.settings import Settings
    from tachograph.forensics.verify.report import Report
    from tachograph.schemas.note import NoteSigner

__all__ = ["register"]

_PANEL = "Evidence"
MAX_LINES = 20
"""Findings shown to a person; `--json` has more."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export", rich_help_panel=_PANEL)(export)
    app.command("verify", rich_help_panel=_PANEL)(verify)
    app.command("trust", rich_help_panel=_PANEL)(trust)
    witness.register(app, panel=_PANEL)
    app.command("erase", rich_help_panel=_PANEL)(erase)
    app.command("retention", rich_help_panel=_PANEL)(retention)


def export(
    session: Annotated[str, typer.Argument(help="The session's id, or how it begins.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write it; a new file.")],
    config: ConfigOption = None,
) -> None:
    """Take a session out as one file with everything that proves it; `tacho verify` checks it anywhere."""
    told = settings.load(config)
    from tachograph.cli.documents import Documents
    from tachograph.cli.evidence.collect import documents_of, logs_of, unrefused
    from tachograph.cli.evidence.heartbeats import heartbeats_wanted
    from tachograph.cli.main import installed_version
    from tachograph.forensics.bundle.archive import ArchiveTooLarge
    from tachograph.forensics.bundle.assemble import Taken, assemble
    from tachograph.forensics.bundle.content import write_bundle
    from tachograph.forensics.log_source import LogSource
    from tachograph.processors.brokers import rdkafka_settings
    from tachograph.processors.sealing.worker import origin_of

    if out.exists():
        raise WrongUse(f"{out}: exists already; name a new file")
    signer = _signer(told)
    documents = Documents.open(told)
    name = documents.resolve(session)
    kafka, sealing = told.configuration.kafka, told.configuration.sealing
    wanted = heartbeats_wanted(documents, name)
    source = LogSource(rdkafka_settings(kafka, base=told.base), kafka.topics)
    try:
        logs = logs_of(
            source, name, lambda number: origin_of(sealing, kafka.topics, number), note, wanted.uids
        )
        picked = wanted.picked(logs)
        logs = wanted.without_others(logs, picked)
        leaves = [leaf for log in logs for leaf in log.leaves]
        found = documents_of(told, documents, name, leaves, picked)
        refused = unrefused(source, leaves, found)
    finally:
        source.close()
    found |= refused
    beats = {uid: found.pop(uid) for uid in picked if uid in found}
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    taken = Taken(name, at, f"tachograph {installed_version()}", by, f"session {name}")
    bundle = assemble(taken, logs, found, [str(signer.key)], beats)
    try:
        data = write_bundle(bundle, signer)
    except ArchiveTooLarge as error:
        raise Refused(f"session {name}: {error}") from None
    with out.open("xb") as file:
        file.write(data)
    counts = bundle.custody[0].found
    note(f"{out}: {counts['documents']} documents, {counts['leaves']} leaves, {len(data)} bytes.")
    if refused:
        note(f"{len(refused)} of them OpenSearch refused; they are taken from the dead letters, as sealed.")
    if counts["documents_missing"]:
        note(f"{counts['documents_missing']} leaves have no document any more; `tacho verify` says why.")
    if counts["unsealed"]:
        note(f"{counts['unsealed']} are not sealed yet: export again after the next checkpoint.")


def verify(  # noqa: PLR0913, PLR0917  each is an option
    file: Annotated[Path | None, typer.Argument(help="The bundle.", show_default=False)] = None,
    trust_file: Annotated[
        Path | None,
        typer.Option("--trust", metavar="FILE", help="The trust policy, as `tacho trust` prints it."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Audit the running system instead: Kafka, OpenSearch, seal log."),
    ] = False,
    since: Annotated[
        str, typer.Option(metavar="AGE", help="With --live: only the last 90m, 24h or 7d; or all.")
    ] = "all",
    session: Annotated[
        str | None, typer.Option(metavar="ID", help="With --live: only the records of this session.")
    ] = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Check a bundle offline, trusting only the policy's keys, or audit the running system (--live).

    The exit code is the verdict's, 0 where nothing is wrong.
    """
    if live:
        if file is not None:
            raise WrongUse("expected a bundle or --live, got both")
        audit(config, trust_file, since=since, session=session, json_output=json_output)
        return
    if file is None or trust_file is None or session is not None or since != "all":
        raise WrongUse(
            "expected a bundle and its trust policy: `tacho verify FILE --trust trust.yaml`; "
            "`tacho verify --live` audits the running system, and takes --since and --session"
        )
    _verify_bundle(file, trust_file, json_output=json_output)


def _verify_bundle(file: Path, trust_file: Path, *, json_output: bool) -> None:
    from tachograph.cli.bundle_file import read_bundle_file
    from tachograph.forensics.bundle.archive import MAX_BUNDLE_BYTES
    from tachograph.forensics.verdict import Verdict
    from tachograph.forensics.verify.report import refused
    from tachograph.forensics.verify.verify import verify_bundle

    policy, data = read_policy(trust_file), read_bundle_file(file)
    if data is None:
        text = f"expected at most {MAX_BUNDLE_BYTES} bytes"
        report = refused(Verdict.BUNDLE_TOO_LARGE, "the file", text)
    else:
        report = verify_bundle(data, policy)
    if json_output:
        print_json(report.as_json())
    else:
        _show(report)
    raise typer.Exit(report.verdict.code)


def trust(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Print the trust policy of this deployment: give it to verifiers by another way than the bundle."""
    told = settings.load(config)
    witnesses = [item.key for item in told.configuration.sealing.witnesses]
    policy = own_policy(told) | {
        "exporters": [{"key": str(_signer(told).key)}],
        "witnesses": {"required": min(1, len(witnesses)), "keys": witnesses},
    }
    if json_output:
        print_json(policy)
        return
    import yaml

    typer.echo(yaml.safe_dump(policy, sort_keys=False, width=200), nl=False)


def _signer(told: Settings) -> NoteSigner:
    prefix = told.configuration.kafka.topic_prefix
    return signing(f"tachograph/{prefix}/export", told.base / told.configuration.keys.export_file)


def _show(report: Report) -> None:
    colour = {"complete": "green", "reduced": "yellow"}.get(report.verdict.word, "red")
    console().print(f"[bold {colour}]{report.verdict.word}[/]: {report.verdict.meaning}")
    if report.session:
        say(f"session {report.session}")
    states = ", ".join(f"{count} {name}" for name, count in report.states.items() if count)
    say(f"records: {states or 'none'}")
    for name, size, time in report.sealed:
        say(f"sealed in {name}: {size} leaves at {time}")
    for name, size, time in report.stamped:
        say(f"time-stamped in {name}: {size} leaves at {time}")
    for text in report.unchecked:
        say(f"not checked: {text}")
    for word, count in report.counts.items():
        say(f"  {word}: {count}")
    for item in report.findings[:MAX_LINES]:
        say(f"    {item.verdict.word} at {item.where}: {item.text}")
    if len(report.findings) > MAX_LINES:
        say(f"    and {len(report.findings) - MAX_LINES} more: --json")
