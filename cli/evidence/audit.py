"""`tacho verify --live` for a person or a program: what to audit, the way to the engines, and the answer."""

from __future__ import annotations

import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tachograph.cli import settings
from tachograph.cli.errors import WrongUse
from tachograph.cli.evidence.trusted import own_policy, read_policy
from tachograph.cli.output import console, print_json, say

if TYPE_CHECKING:
    from tachograph.cli.settings import Settings
    from tachograph.forensics.live.report import LiveReport

__all__ = ["audit"]

MAX_LINES = 20
"""Findings shown to a person; `--json` has more."""
_AGE = re.compile(r"([1-9]\d{0,5})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


def audit(
    config: Path | None, trust: Path | None, *, since: str, session: str | None, json_output: bool
) -> None:
    """Audit the running system, show what came out, and end with the gravest finding's exit code."""
    begin = _begin(since, now=time.time())
    only = None if session is None else _session(session)
    told = settings.load(config)
    report = _audited(told, trust, begin, only)
    if json_output:
        print_json(report.as_json())
    else:
        _show(report)
    raise typer.Exit(report.exit_code)


def _audited(told: Settings, trust: Path | None, since: float, session: uuid.UUID | None) -> LiveReport:
    from tachograph.cli.evidence.live import AHEAD, Asked, Audit
    from tachograph.cli.evidence.store import Store
    from tachograph.forensics.live.positions import Groups, Positions
    from tachograph.forensics.log_source import LogSource
    from tachograph.forensics.verify.policy import TrustPolicy
    from tachograph.processors.brokers import rdkafka_settings
    from tachograph.processors.sealing.worker import origin_of
    from tachograph.sinks.client import Cluster

    kafka, search = told.configuration.kafka, told.configuration.opensearch
    policy = TrustPolicy.model_validate(own_policy(told)) if trust is None else read_policy(trust)
    client, prefix = rdkafka_settings(kafka, base=told.base), kafka.topic_prefix
    groups = Groups(
        f"{prefix}.processors", f"{prefix}.sealing", f"{prefix}.sink.opensearch.{search.index_prefix}"
    )
    store = Store(Cluster(search, base=told.base, lanes=AHEAD), prefix=search.index_prefix)
    source = LogSource(client, kafka.topics)
    try:
        with _progress() as tell:
            return Audit(
                source,
                store,
                Positions(client, kafka.topics, groups).take,
                lambda number: origin_of(told.configuration.sealing, kafka.topics, number),
                policy,
                Asked(since, session),
                tell,
            ).run()
    finally:
        source.close()
        store.close()


def _begin(since: str, *, now: float) -> float:
    if since == "all":
        return 0.0
    found = _AGE.fullmatch(since)
    if found is None:
        raise WrongUse(f"--since {since[:20]}: expected an age such as 90m, 24h or 7d, or all")
    return now - int(found[1]) * _SECONDS[found[2]]


def _session(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise WrongUse("--session: expected the whole id, as `tacho sessions` prints it") from None


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """One line that changes, on a terminal only."""
    from rich.console import Console

    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with Console(file=sys.stderr).status("asking how far each part is") as status:
        yield status.update


def _show(report: LiveReport) -> None:
    colour = "red" if report.findings.counts else "green"
    count = report.findings.counts.total()
    console().print(f"[bold {colour}]{report.word}[/]: {count} findings in {report.audited} audited records")
    states = ", ".join(f"{number} {state.value}" for state, number in report.states.items() if number)
    say(f"records: {states or 'none'}")
    if report.stubs:
        text = "refused by OpenSearch, a stub stands for each, the dead letters have what was sealed"
        say(f"stubs: {report.stubs}, {text}")
    total = report.unaudited.total()
    say(f"unaudited: {total} records, {report.share:.2%} of all")
    for why, number in report.unaudited.items():
        if number:
            say(f"  {why.value}: {number} ({report.part(number):.2%})")
    say(f"strands: {report.strands}, {report.unattested} of them named by no heartbeat yet")
    if report.uncounted is not None:
        say(f"documents without a leaf were not looked for: {report.uncounted}")
    for name, size, at in report.sealed:
        say(f"sealed in {name}: {size} leaves at {at}")
    for item in report.shown[:MAX_LINES]:
        say(f"  {item.verdict.word} at {item.where}: {item.text}")
    if count > MAX_LINES:
        say(f"  and {count - MAX_LINES} more: --json has up to 1,000")
    say(f"{report.audited / max(report.seconds, 0.001):.0f} records a second")
