"""What a replay tells the person who runs it: each difference as it happens, and how it stands at the end.

On standard error, in colours where that is a terminal; the summary as JSON goes to standard output. Nothing
that an agent or a target wrote can steer that terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from tachograph.cli.output import one_line
from tachograph.forensics.replay.differences import Difference
from tachograph.forensics.replay.recorded import Request
from tachograph.forensics.replay.tape import Differs, Found, NotOnRecord, Unexpected, Verdict

__all__ = ["MAX_LISTED", "Reporter", "shown"]

MAX_LISTED = 20
"""Requests that the summary lists for a person; `--json` has all."""


class Reporter:
    """Writes as it goes. `quiet` says nothing of what is as it was."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._out = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._quiet = quiet

    def asked(self, request: Request, verdict: Verdict) -> None:
        """One request that came, and what became of it."""
        name = _name(request)
        match verdict:
            case Found():
                if not self._quiet:
                    self._out.print(Text("served     ", style="green") + name)
            case Differs(closest=closest, lines=lines):
                self.differs(name, f"most like exchange {closest.id}", lines)
            case Unexpected(recorded=0):
                self._out.print(
                    Text("unexpected ", style="red") + name + ": nothing of this shape is on record"
                )
            case Unexpected(recorded=count):
                self._out.print(
                    Text("unexpected ", style="red") + name + f": all {count} on record were asked"
                )
            case NotOnRecord(why=why):
                self._out.print(Text("no answer  ", style="yellow") + name + Text(one_line(f": {why}")))

    def same(self, request: Request) -> None:
        """One request whose answer is as it was."""
        if not self._quiet:
            self._out.print(Text("same       ", style="green") + _name(request))

    def skipped(self, request: Request, why: str) -> None:
        """One that was not sent."""
        self._out.print(Text("skipped    ", style="yellow") + _name(request) + Text(one_line(f": {why}")))

    def differs(self, name: Text | Request, than: str, lines: Iterable[Difference]) -> None:
        """One that is not as it was, place by place."""
        title = name if isinstance(name, Text) else _name(name)
        self._out.print(Text("differs    ", style="red") + title + Text(one_line(f", {than}"), style="dim"))
        for line in lines:
            self._out.print(Text("    ") + shown(line))

    def summary(self, told: Mapping[str, Any]) -> None:
        """How it stands at the end."""
        counts = (
            ("served", told["served"], "green"),
            ("differing", len(told["differing"]), "red"),
            ("not on record", len(told["not_on_record"]), "yellow"),
            ("never asked", len(told["never_asked"]), "yellow"),
        )
        words = Text(f"{told['recorded']} recorded: ")
        for number, (name, count, style) in enumerate(counts):
            words += Text(", " if number else "") + Text(f"{count} {name}", style=style if count else "")
        self._out.print(words)
        for item in told["never_asked"][:MAX_LISTED]:
            rpc = f" {item['rpc_method']}" if "rpc_method" in item else ""
            named = f"{item['connection']} {item['method']} {item['path']}{rpc}"
            self._out.print(f"    never asked: {one_line(named)}", markup=False)
        if len(told["never_asked"]) > MAX_LISTED:
            self._out.print(f"    and {len(told['never_asked']) - MAX_LISTED} more: --json", markup=False)


def shown(line: Difference) -> Text:
    """A difference in colours: what is gone red, what is new green; the same characters as `line.text`."""
    text = Text(one_line(line.text))
    for value, opened, closed, style in (
        (line.recorded, "[-", "-]", "red"),
        (line.came, "{+", "+}", "green"),
    ):
        if value:
            mark = one_line(f"{opened}{value}{closed}")
            at = text.plain.find(mark)
            text.stylize(style, at, at + len(mark))
    return text


def _name(request: Request) -> Text:
    rpc = f" {request.rpc_method}" if request.rpc_method else ""
    return Text(one_line(f"{request.connection or '-'} {request.method} {request.path}{rpc}"))
