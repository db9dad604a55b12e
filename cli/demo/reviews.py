"""The people of the demo: they see what waits, and decide from a second terminal.

The second terminal is a process of its own that runs a command which a person may run as well. With somebody
at the terminal the demo shows it and waits; if nobody decides in time, the demo runs it itself.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tachograph.cli.approvals.desk import Desk
from tachograph.cli.errors import Refused
from tachograph.cli.story import line

__all__ = ["GROUP", "REVIEWER", "Reviews", "Terminal", "Word", "start", "words"]

REVIEWER = "operator-on-duty"
GROUP = "operators"
COMMAND_SECONDS = 60.0
"""How long one decision's process may take."""
_STOP_SECONDS = 5.0
_DONE = {"approve": "approved", "deny": "denied"}


@dataclass(frozen=True, slots=True)
class Word:
    """What the demo says about a tool's call when nobody else does."""

    verb: str
    comment: str

    def __repr__(self) -> str:
        return f"Word(verb={self.verb!r})"


@dataclass(frozen=True, slots=True)
class Terminal:
    """What a second terminal needs: the configuration's file, and where a process of ours writes to.

    `console` is the address of the reviewers' pages, where they run.
    """

    config: Path
    logs: Path
    console: str | None = None

    def login(self) -> list[str]:
        """The command that prints a link into the console."""
        who = ["--local-login", REVIEWER, "--group", GROUP]
        return ["tacho", "console", *who, "--config", str(self.config)]


@dataclass(slots=True)
class _Seen:
    """One approval that was announced; `process` is who decides it for us."""

    view: Mapping[str, Any]
    due: float
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    over: bool = False


def start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Run a `tacho` command as a process of its own; nobody is asked anything."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tachograph.cli.main", *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@dataclass(slots=True)
class Reviews:
    """Everything that waited in one run. `look` never waits for a person or a process."""

    desk: Desk
    terminal: Terminal
    words: Mapping[str, Word]
    wait: float
    """Seconds that a person has before the demo decides itself; 0 where none is there."""
    say: Callable[[str], None]
    start: Callable[[Sequence[str], Path], subprocess.Popen[bytes]] = start
    seen: dict[str, _Seen] = field(default_factory=dict)

    def look(self, *, now: float) -> None:
        """Announce what waits, decide what nobody has decided; raises Refused when that fails."""
        pending = {view["id"]: view for view in self.desk.pending() if view["shown"] is not None}
        for uid, view in pending.items():
            if uid not in self.seen:
                self._announce(view, now)
        for uid, seen in self.seen.items():
            if not seen.over:
                self._go_on(seen, now, waits=uid in pending)

    def close(self) -> None:
        """End what still runs."""
        for seen in self.seen.values():
            if seen.process is not None:
                _end(seen.process)
        self.desk.close()

    def _announce(self, view: Mapping[str, Any], now: float) -> None:
        self.seen[view["id"]] = _Seen(view, now + self.wait)
        told = line(view["document"])
        why = "; ".join(need["reason"] for need in view["needs"])
        self.say(f"HELD: {view['requester']['id']} wants {told.what} {told.text} ({why}).")
        if self.wait:
            for verb in ("approve", "deny"):
                self.say(f"  in a second terminal:  {shlex.join(self._words(view, verb, 'why'))}")
            if self.terminal.console:
                login = shlex.join(self.terminal.login())
                self.say(f"  in a browser:  {self.terminal.console}  by the link of  {login}")
            self.say(f"  The demo decides itself if nobody does within {self.wait:.0f} s.")

    def _go_on(self, seen: _Seen, now: float, *, waits: bool) -> None:
        if not waits:
            seen.over = True
            self._tell(seen)
        elif seen.process is None and now >= seen.due:
            self._decide(seen, now)
        elif seen.process is not None and (
            seen.process.poll() not in {None, 0} or now > seen.began + COMMAND_SECONDS
        ):
            raise Refused(f"the decision's own process failed: its log is {self._log(seen)}")

    def _decide(self, seen: _Seen, now: float) -> None:
        word = self.words[line(seen.view["document"]).what.rpartition(" ")[2]]
        command = self._words(seen.view, word.verb, word.comment)
        self.say(f"  a second process runs:  {shlex.join(self._words(seen.view, word.verb, '...'))}")
        seen.process = self.start(command, self._log(seen))
        seen.began = now

    def _tell(self, seen: _Seen) -> None:
        view = self.desk.find(seen.view["id"])
        said = [f"{_DONE[each['verdict']]} by {each['reviewer']['id']}" for each in view["decisions"]]
        self.say(f"  {line(seen.view['document']).what}: {', '.join(said) or view['state']}.")

    def _words(self, view: Mapping[str, Any], verb: str, comment: str) -> list[str]:
        who = ["--as", REVIEWER, "--group", GROUP]
        return ["tacho", verb, view["id"][:8], *who, "-m", comment, "--config", str(self.terminal.config)]

    def _log(self, seen: _Seen) -> Path:
        return self.terminal.logs / f"decision-{seen.view['id'][:8]}.log"


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_SECONDS)


def words(pasted: str) -> Mapping[str, Word]:
    """The refund is agreed to, the deletion is not; people paste credentials into comments, too."""
    return {
        "refund_order": Word("approve", f"agreed with the customer; pushed with {pasted}"),
        "delete_customer": Word("deny", "not while the complaint is open; ask again next month"),
    }
