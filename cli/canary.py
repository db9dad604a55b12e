"""`tacho canary`: plant synthetic secrets on a schedule, prove that none survives masking, stop at a leak.

Exit codes with `--once`: 0 none was readable, 1 a leak, 3 Kafka or the processors are down.
"""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tachograph.cli import settings
from tachograph.cli.errors import Refused
from tachograph.cli.keys import rfc3339
from tachograph.cli.output import note, print_json, ready, table
from tachograph.cli.settings import ConfigOption, JsonOption, Settings

if TYPE_CHECKING:
    from tachograph.processors.canary import Canary, CanaryMetrics
    from tachograph.schemas.stops import Stop

__all__ = ["register"]

LEAK = 1
DOWN = 3


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(invoke_without_command=True, no_args_is_help=False)
    group.callback()(canary)
    group.command("stops")(stops)
    group.command("acknowledge")(acknowledge)
    app.add_typer(group, name="canary", rich_help_panel="Operate")


def canary(  # noqa: PLR0913  each is an option
    context: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", metavar="", help="One round; the exit code says how it went.")
    ] = False,
    every: Annotated[float | None, typer.Option(min=1, help="Seconds between rounds.")] = None,
    exchanges: Annotated[int | None, typer.Option(min=1, max=1000, help="Exchanges in a round.")] = None,
    wait: Annotated[float | None, typer.Option(min=1, help="Seconds that the processors may take.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Serve /metrics on this port of 127.0.0.1.")
    ] = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Plant synthetic secrets on the raw topic and prove that none can be read on the masked one.

    A leak stops the raw partition that it came through, until it is acknowledged, and raises a finding.
    """
    if context.invoked_subcommand is not None:
        return
    told = settings.load(config)
    from tachograph.processors.canary import Canary, CanaryMetrics
    from tachograph.processors.logs import log_to_stderr

    log_to_stderr()
    given = {"exchanges": exchanges, "every_seconds": every, "wait_seconds": wait}
    plan = told.configuration.canary.model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    metrics = CanaryMetrics()
    agent = Canary(told.configuration, base=told.base, metrics=metrics)
    if once:
        raise typer.Exit(_round(agent, plan.exchanges, plan.wait_seconds, json_output=json_output))
    _serve(metrics, plan.metrics_port if metrics_port is None else metrics_port)
    while True:
        sys.stdout.flush()
        time.sleep(plan.every_seconds)
        _try(agent, plan.exchanges, plan.wait_seconds, json_output=json_output)


def stops(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Show which raw partitions stand still for a leak, and since when; exit code 1 when one does."""
    standing = _standing(settings.load(config))
    if json_output:
        print_json([stop.model_dump(mode="json") for stop in standing.values()])
    else:
        rows = [
            (stop.partition, stop.raised, stop.leaks, ", ".join(stop.places), stop.session, stop.finding)
            for stop in standing.values()
        ]
        columns = ("partition", "since", "leaks", "planted in", "session", "finding")
        table(columns, rows, empty="No partition stands still.")
    if standing:
        raise typer.Exit(LEAK)


def acknowledge(
    partition: Annotated[
        list[int] | None, typer.Argument(help="Partitions; all that stand, without.")
    ] = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let stopped partitions go on, once the leak is understood and mended."""
    told = settings.load(config)
    standing = _standing(told)
    wanted = standing.keys() if partition is None else partition
    unknown = sorted(set(wanted) - standing.keys())
    if unknown:
        raise Refused(f"partition {unknown[0]} does not stand still: see `tacho canary stops`")
    from tachograph.processors.brokers import rdkafka_settings
    from tachograph.processors.stops import write_stop
    from tachograph.schemas.stops import Acknowledgement

    kafka = told.configuration.kafka
    said = Acknowledgement(by=getpass.getuser(), at=rfc3339(datetime.now(UTC)))
    for number in sorted(wanted):
        stop = standing[number].model_copy(update={"acknowledged": said})
        write_stop(rdkafka_settings(kafka, base=told.base), kafka.topics.stops, stop)
    if json_output:
        print_json({"acknowledged": sorted(wanted)})
    else:
        numbers = ", ".join(map(str, sorted(wanted)))
        note(f"Partition {numbers} goes on within seconds." if wanted else "No partition stands still.")


def _standing(told: Settings) -> Mapping[int, Stop]:
    from tachograph.processors.brokers import rdkafka_settings
    from tachograph.processors.stops import read_stops

    kafka = told.configuration.kafka
    return read_stops(rdkafka_settings(kafka, base=told.base), kafka.topics.stops)


def _round(agent: Canary, exchanges: int, wait_s: float, *, json_output: bool) -> int:
    result = agent.round(exchanges, wait_s=wait_s)
    if json_output:
        print_json(asdict(result))
    return LEAK if result.leaks else DOWN if result.missing else 0


def _try(agent: Canary, exchanges: int, wait_s: float, *, json_output: bool) -> None:
    from tachograph.processors.errors import BrokerFault

    try:
        _round(agent, exchanges, wait_s, json_output=json_output)
    except BrokerFault as error:
        note(f"canary: {error}; trying again at the next round")


def _serve(metrics: CanaryMetrics, port: int | None) -> None:
    url: str | None = None
    if port is not None:
        from tachograph.operations.answers import Readiness
        from tachograph.operations.thread import serve_if_free
        from tachograph.schemas.config import Listen

        url = serve_if_free(Listen(port=port), metrics.registry, Readiness, setting="--metrics-port")
    ready({"part": "canary", "metrics": url})
