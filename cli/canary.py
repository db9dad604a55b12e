"""`tacho canary`: plant synthetic secrets on a schedule and prove that none survives masking.

Exit codes with `--once`: 0 none was readable, 1 a leak, 3 Kafka or the processors are down.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tachograph.cli import settings
from tachograph.cli.output import note, print_json, ready
from tachograph.cli.settings import ConfigOption, JsonOption

if TYPE_CHECKING:
    from tachograph.processors.canary import CanaryMetrics

__all__ = ["register"]

LEAK = 1
DOWN = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("canary", rich_help_panel="Operate")(canary)


def canary(  # noqa: PLR0913  each is an option
    *,
    once: Annotated[bool, typer.Option("--once", help="One round; the exit code says how it went.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between rounds.")] = 300,
    exchanges: Annotated[int, typer.Option(min=1, max=1000, help="Exchanges in a round.")] = 24,
    wait: Annotated[float, typer.Option(min=1, help="Seconds that the processors may take.")] = 60,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Serve /metrics on this port of 127.0.0.1.")
    ] = None,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Plant synthetic secrets on the raw topic and prove that none can be read on the masked one."""
    told = settings.load(config)
    from tachograph.processors.canary import Canary, CanaryMetrics, Result
    from tachograph.processors.errors import BrokerFault
    from tachograph.processors.logs import log_to_stderr

    log_to_stderr()
    metrics = CanaryMetrics()
    agent = Canary(told.configuration, base=told.base, metrics=metrics)
    if metrics_port is not None:
        _serve(metrics, metrics_port)

    def run() -> Result:
        result = agent.round(exchanges, wait_s=wait)
        if json_output:
            print_json(asdict(result))
        return result

    if once:
        result = run()
        raise typer.Exit(LEAK if result.leaks else DOWN if result.missing else 0)
    while True:
        try:
            run()
        except BrokerFault as error:
            note(f"canary: {error}; trying again in {every:.0f} s")
        sys.stdout.flush()
        time.sleep(every)


def _serve(metrics: CanaryMetrics, port: int) -> None:
    from tachograph.processors.operations import serve
    from tachograph.processors.readiness import Verdict
    from tachograph.schemas.config import Listen

    url = serve(Listen(port=port), metrics.registry, lambda: Verdict("", {}))
    ready({"part": "canary", "metrics": url})
