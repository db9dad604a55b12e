"""`tacho provision`: create or align topics, index templates and dashboards. Safe to run again."""

from __future__ import annotations

from dataclasses import asdict

import typer

from tachograph.cli import settings
from tachograph.cli.output import note, print_json
from tachograph.cli.settings import ConfigOption, JsonOption

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("provision", rich_help_panel="Operate")(provision)


def provision(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Make topics, index templates and dashboards what the configuration says.

    Exit code 1 when something is left that a person has to decide, such as another number of partitions.
    """
    told = settings.load(config)
    from tachograph.sinks.provision import provision as run

    report = run(told.configuration, base=told.base, progress=note)
    if json_output:
        print_json(
            {
                "changed": report.changed,
                "complete": report.complete,
                "steps": [asdict(step) for step in report.steps],
            }
        )
    if not report.complete:
        raise typer.Exit(1)
