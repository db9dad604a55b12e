"""`tacho up`, `tacho down`, `tacho status`: everything in the foreground, ended, or looked at."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tachograph.cli import run_state, settings
from tachograph.cli.errors import NoConfiguration
from tachograph.cli.keys import rfc3339
from tachograph.cli.output import note, print_json, ready, table
from tachograph.cli.settings import ConfigOption, JsonOption, Settings
from tachograph.cli.stack import state as engines
from tachograph.schemas.config import Keys

__all__ = ["interruptible", "register"]

_LOOK = 0.25
"""Seconds between two looks at the children."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    panel = "Run"
    app.command("up", rich_help_panel=panel)(up)
    app.command("down", rich_help_panel=panel)(down)
    app.command("status", rich_help_panel=panel)(status)


def up(
    config: ConfigOption = None,
    external: Annotated[
        bool, typer.Option("--external", metavar="", help="Start no engines, whatever stack.managed says.")
    ] = False,
    _json: JsonOption = False,
) -> None:
    """Run everything in the foreground until Ctrl-C; prints `ready {json}` with all URLs when it serves.

    Without any configuration it makes one in .tacho, with keys and a first API key, which it shows once.
    Kafka and OpenSearch are started only where the configuration says `stack: {managed: true}`.
    """
    told = _settings(config)
    from tachograph.cli.assembly import Assembly
    from tachograph.cli.home import add_key

    keys = told.configuration.keys
    for file in _later(keys):
        if add_key(told.base / file, beside=told.base / keys.kek_file, randomness=os.urandom):
            note(f"Made the key {told.base / file}.")

    assembly = Assembly(told, managed=told.configuration.stack.managed and not external, say=note)
    with interruptible():
        try:
            ready(assembly.start())
            while True:
                time.sleep(_LOOK)
                assembly.watch()
        except KeyboardInterrupt:
            note("Stopping ...")
        finally:
            _ignore_signals()
            assembly.stop()


def _later(keys: Keys) -> tuple[str, ...]:
    """Keys that homes of earlier releases do not have."""
    evidence = (keys.log_file, keys.signing_file, keys.export_file, keys.deletion_file)
    return (keys.approvals_file, *evidence, keys.control_file)


def down(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """End what `tacho up` runs here, and wait for it."""
    ended = run_state.down(_home(config))
    if json_output:
        print_json({"ended": ended})
    else:
        note(f"Ended: {', '.join(ended)}." if ended else "Nothing was running.")


def status(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Show what runs; exit code 3 when something that should is not."""
    home = _home(config)
    found = _status(home)
    if json_output:
        print_json(found)
    else:
        rows = [(row["name"], row["state"], row["pid"], row["log"]) for row in found["parts"]]
        table(("part", "state", "pid", "log"), rows, empty=f"Nothing runs in {home}. Start it: tacho up")
    if not found["running"]:
        raise typer.Exit(3)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM asks as Ctrl-C does; whoever catches it calls for no further interruption."""
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    # One request to stop is enough; a second must not break off the orderly end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _settings(config: Path | None) -> Settings:
    try:
        return settings.load(config)
    except NoConfiguration:
        from tachograph.cli.home import make_home

        home = settings.default_home(os.environ, Path.cwd())
        made = make_home(home, randomness=os.urandom, now=rfc3339(datetime.now(UTC)))
        note(f"Made {made.file}, with keys in {home / 'keys'}.")
        note(f"Your first API key, shown only now:\n\n    {made.key.text}\n")
        return settings.load(made.file)


def _home(config: Path | None) -> Path:
    try:
        return settings.load(config).home
    except NoConfiguration:
        return settings.default_home(os.environ, Path.cwd())


def _status(home: Path) -> dict[str, Any]:
    state, stack = run_state.read(home), engines.status(home)
    parts = [] if state is None else [(p.name, p.alive, p.process.pid, p.log) for p in state.parts]
    if stack is not None:
        parts += [
            (engine.name, stack.engines_alive[engine.name], engine.process.pid, engine.log)
            for engine in stack.state.engines
        ]
    rows = [
        {"name": name, "state": "running" if lives else "down", "pid": pid, "log": log}
        for name, lives, pid, log in parts
    ]
    running = (
        state is not None and state.alive and bool(rows) and all(row["state"] == "running" for row in rows)
    )
    return {
        "running": running,
        "home": str(home),
        "parent": None if state is None else asdict(state.parent)["pid"],
        "urls": {} if state is None else state.urls,
        "parts": rows,
    }
