"""`tacho doctor`: look at everything that the configuration depends on, and say what to do."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.text import Text

from tachograph.cli import settings
from tachograph.cli.output import print_json, table
from tachograph.cli.settings import ConfigOption, JsonOption

__all__ = ["register"]

_STYLES = {"ok": "green", "warning": "yellow", "bad": "red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", rich_help_panel="Operate")(doctor)


def doctor(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Check configuration, keys, spool, Kafka, OpenSearch and how far behind each part is.

    Exit code 3 when something is bad; warnings do not count.
    """
    told = settings.load(config)
    from tachograph.cli.checks import Verdict, examine

    found = list(examine(told))
    if json_output:
        print_json([asdict(check) for check in found])
    else:
        rows = [
            (
                Text(check.verdict.value, style=_STYLES[check.verdict.value]),
                check.name,
                check.found,
                check.remedy,
            )
            for check in found
        ]
        table(("", "what", "found", "what to do"), rows, empty="")
    if any(check.verdict is Verdict.BAD for check in found):
        raise typer.Exit(3)
