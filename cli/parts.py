"""`tacho ingress`, `tacho process`, `tacho sink`, `tacho seal`: one part in the foreground."""

from __future__ import annotations

from typing import Any

import typer

from tachograph.cli import settings
from tachograph.cli.output import ready
from tachograph.cli.settings import ConfigOption, JsonOption

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    panel = "Parts, one at a time"
    app.command("ingress", rich_help_panel=panel)(ingress)
    app.command("process", rich_help_panel=panel)(process)
    app.command("sink", rich_help_panel=panel)(sink)
    app.command("seal", rich_help_panel=panel)(seal)


def ingress(config: ConfigOption = None, _json: JsonOption = False) -> None:
    """Run the proxy that agents talk to. Prints `ready {json}` when it serves."""
    told = settings.load(config)
    from tachograph.credentials.process import keep_memory_private
    from tachograph.ingress import serve

    keep_memory_private()
    serve.run(told.configuration, base=told.base, on_ready=_ready, file=told.file)


def process(config: ConfigOption = None, _json: JsonOption = False) -> None:
    """Run the masker: raw topic in, masked OCSF events out."""
    told = settings.load(config)
    from tachograph.credentials.process import keep_memory_private
    from tachograph.processors import worker

    keep_memory_private()
    worker.run(told.configuration, base=told.base)


def sink(config: ConfigOption = None, _json: JsonOption = False) -> None:
    """Run the worker that writes masked events into OpenSearch."""
    told = settings.load(config)
    from tachograph.credentials.process import keep_memory_private
    from tachograph.sinks import worker

    keep_memory_private()
    worker.run(told.configuration, base=told.base)


def seal(config: ConfigOption = None, _json: JsonOption = False) -> None:
    """Run the worker that seals masked events in Merkle logs and signs their checkpoints."""
    told = settings.load(config)
    from tachograph.credentials.process import keep_memory_private
    from tachograph.processors.sealing import worker

    keep_memory_private()
    worker.run(told.configuration, base=told.base)


def _ready(value: dict[str, Any]) -> None:
    ready(value)
