"""`tacho export SESSION`, `tacho verify FILE`, `tacho trust`: evidence taken out, and checked elsewhere.

`tacho erase` and `tacho retention`, which take away what is, have files of their own.
"""

from __future__ import annotations

import getpass
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tachograph.cli import settings
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.evidence import witness
from tachograph.cli.evidence.deletion_key import deletion_signer
from tachograph.cli.evidence.erase import erase
from tachograph.cli.evidence.retention import retention
from tachograph.cli.output import console, note, print_json
from tachograph.cli.settings import ConfigOption, JsonOption
from tachograph.schemas.heartbeat import gateway_name

if TYPE_CHECKING:
    from tachograph.cli.settings import Settings
    from tachograph.forensics.verify.policy import TrustPolicy
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
    from tachograph.cli.evidence.collect import documents_of, logs_of
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
    finally:
        source.close()
    picked = wanted.picked(logs)
    logs = wanted.without_others(logs, picked)
    leaves = [leaf for log in logs for leaf in log.leaves]
    found = documents_of(told, documents, name, leaves, picked)
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
    if counts["documents_missing"]:
        note(f"{counts['documents_missing']} leaves have no document any more; `tacho verify` says why.")
    if counts["unsealed"]:
        note(f"{counts['unsealed']} are not sealed yet: export again after the next checkpoint.")


def verify(
    file: Annotated[Path, typer.Argument(help="The bundle.")],
    trust_file: Annotated[
        Path, typer.Option("--trust", metavar="FILE", help="The trust policy, as `tacho trust` prints it.")
    ],
    json_output: JsonOption = False,
) -> None:
    """Check a bundle offline, trusting only the policy's keys; the exit code is the verdict's."""
    from tachograph.forensics.bundle.archive import MAX_BUNDLE_BYTES
    from tachograph.forensics.verdict import Verdict
    from tachograph.forensics.verify.report import refused
    from tachograph.forensics.verify.verify import verify_bundle

    policy = _policy(trust_file)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BUNDLE_BYTES + 1) if file.stat().st_size <= MAX_BUNDLE_BYTES else None
    except OSError as error:
        raise WrongUse(f"{file}: cannot be read ({error.strerror})") from None
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
    partitions = told.configuration.kafka.partitions
    witnesses = [item.key for item in told.configuration.sealing.witnesses]
    policy: dict[str, Any] = {
        "version": 1,
        "logs": [{"key": key} for key in _log_keys(told, partitions)],
        "exporters": [{"key": str(_signer(told).key)}],
        **_gateways(told),
        "deletions": _deleters(told),
        "witnesses": {"required": min(1, len(witnesses)), "keys": witnesses},
    }
    if json_output:
        print_json(policy)
        return
    import yaml

    typer.echo(yaml.safe_dump(policy, sort_keys=False, width=200), nl=False)


def _policy(path: Path) -> TrustPolicy:
    from tachograph.forensics.verify.policy import MAX_POLICY_BYTES, TrustPolicy

    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_POLICY_BYTES + 1).decode()
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read ({error.strerror}); `tacho trust` prints a policy") from None
    except UnicodeDecodeError:
        raise WrongUse(f"{path}: expected UTF-8 text") from None
    return TrustPolicy.parse(text, file=str(path))


def _signer(told: Settings) -> NoteSigner:
    prefix = told.configuration.kafka.topic_prefix
    return _signing(f"tachograph/{prefix}/export", told.base / told.configuration.keys.export_file)


def _signing(name: str, file: Path) -> NoteSigner:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tachograph.processors.keyfile import read_key
    from tachograph.schemas.note import NoteSigner

    return NoteSigner(name, Ed25519PrivateKey.from_private_bytes(read_key(file)))


def _deleters(told: Settings) -> list[dict[str, str]]:
    """Nobody where there is no key: a deployment that never deletes needs none."""
    there = (told.base / told.configuration.keys.deletion_file).exists()
    return [{"key": str(deletion_signer(told).key)}] if there else []


def _gateways(told: Settings) -> dict[str, Any]:
    """Nothing where no gateway signs: then heartbeats cannot be asked for."""
    file = told.base / told.configuration.keys.signing_file
    if not file.exists():
        return {}
    name = gateway_name(told.configuration.kafka.topic_prefix)
    return {"gateways": [{"key": str(_signing(name, file).key)}]}


def _log_keys(told: Settings, partitions: int) -> list[str]:
    from tachograph.processors.sealing.worker import origin_of, signer_of

    signers = signer_of(told.base / told.configuration.keys.log_file)
    sealing, topics = told.configuration.sealing, told.configuration.kafka.topics
    return [str(signers(origin_of(sealing, topics, number)).key) for number in range(partitions)]


def _show(report: Report) -> None:
    out = console()
    colour = {0: "green", 3: "yellow"}.get(report.verdict.code, "red")
    out.print(f"[bold {colour}]{report.verdict.word}[/]: {report.verdict.meaning}")
    if report.session:
        out.print(f"session {report.session}", markup=False)
    states = ", ".join(f"{count} {name}" for name, count in report.states.items() if count)
    out.print(f"records: {states or 'none'}", markup=False)
    for name, size, time in report.sealed:
        out.print(f"sealed in {name}: {size} leaves at {time}", markup=False)
    for name, size, time in report.stamped:
        out.print(f"time-stamped in {name}: {size} leaves at {time}", markup=False)
    for word, count in report.counts.items():
        out.print(f"  {word}: {count}", markup=False)
    for item in report.findings[:MAX_LINES]:
        out.print(f"    {item.verdict.word} at {item.where}: {item.text}", markup=False)
    if len(report.findings) > MAX_LINES:
        out.print(f"    and {len(report.findings) - MAX_LINES} more: --json", markup=False)
