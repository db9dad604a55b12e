"""The demo's people: what they are told, when the demo speaks for them, and by which command."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tachograph.cli.demo.reviews import COMMAND_SECONDS, Reviews, Terminal, Word, start, words
from tachograph.cli.errors import Refused

Process = subprocess.Popen[bytes]
UID = "0a1b2c3d-0000-4000-8000-000000000000"


class Desk:
    """Approvals that the test changes by hand, in the shape of `cli/approvals/view.py`."""

    def __init__(self) -> None:
        self.views: dict[str, dict[str, Any]] = {}
        self.closed = False

    def ask(self, tool: str, *, shown: str | None = "f" * 64, uid: str = UID) -> None:
        tacho = {"type": "request", "tool": tool, "rpc_method": "tools/call", "arguments_text": '{"id":7}'}
        self.views[uid] = {
            "id": uid,
            "state": "pending",
            "shown": shown,
            "document": {"unmapped": {"tacho": tacho}} if shown else None,
            "requester": {"id": "agent"},
            "needs": [{"reason": "because"}],
            "decisions": [],
        }

    def settle(self, verdict: str, uid: str = UID) -> None:
        said = {"verdict": verdict, "reviewer": {"id": "ruth"}}
        self.views[uid] |= {"state": "over", "decisions": [said]}

    def pending(self) -> list[dict[str, Any]]:
        return [view for view in self.views.values() if view["state"] == "pending"]

    def find(self, approval: str) -> dict[str, Any]:
        return self.views[approval]

    def close(self) -> None:
        self.closed = True

    def decide(self, view: Mapping[str, Any], verdict: str, *, comment: str, minutes: int) -> dict[str, Any]:
        raise AssertionError("the demo decides in another process")

    def grants(self) -> list[dict[str, Any]]:
        raise AssertionError("there are none")

    def revoke(self, approval: str) -> dict[str, Any]:
        raise AssertionError("there are none")


class Stage:
    """Reviews at a desk, with what was said and started."""

    def __init__(self, folder: Path, wait: float, code: str) -> None:
        self.desk, self.said, self.started = Desk(), list[str](), list[list[str]]()
        self._code = code
        terminal = Terminal(folder / "tacho.yaml", folder)
        self.reviews = Reviews(self.desk, terminal, words("pasted"), wait, self.said.append, self._start)

    def _start(self, command: Sequence[str], _: Path) -> Process:
        self.started.append(list(command))
        return subprocess.Popen([sys.executable, "-I", "-S", "-c", self._code])

    def process(self) -> Process:
        process = self.reviews.seen[UID].process
        assert process is not None
        return process


Open = Callable[..., Stage]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Open]:
    """Opens one; what it started ends with the test."""
    opened: list[Stage] = []

    def make(*, wait: float = 0.0, code: str = "") -> Stage:
        opened.append(Stage(tmp_path, wait, code))
        return opened[-1]

    yield make
    for each in opened:
        each.reviews.close()
        assert each.desk.closed


def test_without_a_person_the_demo_decides_at_once(stage: Open) -> None:
    """In a process of its own, by the command that a person would type, once."""
    here = stage()
    here.desk.ask("refund_order")
    here.reviews.look(now=0)
    here.reviews.look(now=1)
    (command,) = here.started
    assert command[:3] == ["tacho", "approve", UID[:8]]
    assert command[command.index("--as") + 1] != "agent"
    assert command[-1].endswith("tacho.yaml")
    assert not any("pasted" in text for text in here.said)


def test_the_deletion_is_denied(stage: Open) -> None:
    """And what came of it is said, by whom."""
    here = stage()
    here.desk.ask("delete_customer")
    here.reviews.look(now=0)
    assert here.started[0][1] == "deny"
    here.desk.settle("deny")
    here.reviews.look(now=1)
    here.reviews.look(now=2)
    assert here.said[-1] == "  tools/call delete_customer: denied by ruth."
    assert sum("denied by" in text for text in here.said) == 1


def test_a_person_has_their_time(stage: Open) -> None:
    """They are told both commands and the bound; before it nothing is started, after it the demo decides."""
    here = stage(wait=60)
    here.desk.ask("refund_order")
    here.reviews.look(now=100)
    here.reviews.look(now=159)
    told = "\n".join(here.said)
    assert f"tacho approve {UID[:8]} --as" in told
    assert f"tacho deny {UID[:8]} --as" in told
    assert "within 60 s" in told
    assert here.started == []
    here.reviews.look(now=160)
    assert len(here.started) == 1


def test_a_person_may_use_a_browser(stage: Open) -> None:
    """Where the console runs, its address is said, and the command that logs in."""
    here = stage(wait=60)
    here.reviews.terminal = replace(here.reviews.terminal, console="http://127.0.0.1:8090")
    here.desk.ask("refund_order")
    here.reviews.look(now=0)
    (told,) = (text for text in here.said if "browser" in text)
    assert "http://127.0.0.1:8090" in told
    assert "tacho console --local-login" in told


def test_a_person_may_decide_otherwise(stage: Open) -> None:
    """Then the demo starts nothing."""
    here = stage(wait=60)
    here.desk.ask("delete_customer")
    here.reviews.look(now=0)
    here.desk.settle("approve")
    here.reviews.look(now=1)
    here.reviews.look(now=100)
    assert here.started == []
    assert "approved by ruth" in here.said[-1]


def test_nobody_is_asked_before_there_is_something_to_look_at(stage: Open) -> None:
    """What is not masked yet is not announced."""
    here = stage()
    here.desk.ask("refund_order", shown=None)
    here.reviews.look(now=0)
    assert here.said == []
    here.desk.ask("refund_order")
    here.reviews.look(now=1)
    assert "HELD: agent wants tools/call refund_order" in here.said[0]
    assert "(because)" in here.said[0]


def test_a_command_that_fails_ends_the_demo(stage: Open) -> None:
    """With the log to read; what was decided meanwhile by somebody else is no failure."""
    here = stage(code="raise SystemExit(1)")
    here.desk.ask("refund_order")
    here.reviews.look(now=0)
    here.process().wait(60)
    with pytest.raises(Refused, match=r"decision-0a1b2c3d\.log"):
        here.reviews.look(now=1)
    here.desk.settle("approve")
    here.reviews.look(now=2)


def test_a_command_that_hangs_ends_the_demo(monkeypatch: pytest.MonkeyPatch, stage: Open) -> None:
    """After its bound."""
    monkeypatch.setattr("tachograph.cli.demo.reviews._STOP_SECONDS", 0.1)
    here = stage(code="import time; time.sleep(600)")
    here.desk.ask("refund_order")
    here.reviews.look(now=0)
    here.reviews.look(now=COMMAND_SECONDS)
    with pytest.raises(Refused):
        here.reviews.look(now=COMMAND_SECONDS + 1)


def test_the_process_is_tacho_itself(tmp_path: Path) -> None:
    """It writes into its log, and has nobody to ask."""
    with start(["tacho", "--version"], tmp_path / "log") as process:
        assert process.wait(60) == 0
    assert (tmp_path / "log").read_text().startswith("tacho ")


def test_a_comment_is_not_shown() -> None:
    """It may carry what somebody pasted."""
    assert "private" not in repr(Word("approve", "private"))
