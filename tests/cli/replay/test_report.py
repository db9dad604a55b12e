"""What a person sees of a replay."""

import io
from typing import Any

import pytest
from rich.console import Console

from tachograph.cli.replay.report import MAX_LISTED, Reporter, shown
from tachograph.forensics.replay.differences import Difference
from tachograph.forensics.replay.recorded import Body, Exchange, Request
from tachograph.forensics.replay.tape import Differs, Found, NotOnRecord, Unexpected

REQUEST = Request("u", "api", "http", "POST", "/x", "", (), Body())
EXCHANGE = Exchange("e-1", REQUEST, None)
LINE = Difference("body.a", "twice", "thrice", "charged ", " [bold]")


def said(act: Any, *, quiet: bool = False, terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, color_system="standard" if terminal else None,
                      soft_wrap=True, highlight=False, _environ={})  # fmt: skip
    act(Reporter(console, quiet=quiet))
    return out.getvalue()


@pytest.mark.parametrize(
    ("verdict", "wanted"),
    [
        (Found(EXCHANGE), "served     api POST /x"),
        (Differs(REQUEST, EXCHANGE, (LINE,)), "differs    api POST /x, most like exchange e-1"),
        (Unexpected(REQUEST, 0), "nothing of this shape is on record"),
        (Unexpected(REQUEST, 3), "all 3 on record were asked"),
        (NotOnRecord(EXCHANGE, "its body is withheld"), "no answer  api POST /x: its body is withheld"),
    ],
)
def test_each_verdict_is_a_line(verdict: Any, wanted: str) -> None:
    """As it happens."""
    assert wanted in said(lambda report: report.asked(REQUEST, verdict))


def test_a_difference_is_shown_in_colours_only_on_a_terminal() -> None:
    """And its text is never taken for markup."""
    act = lambda report: report.asked(REQUEST, Differs(REQUEST, EXCHANGE, (LINE,)))  # noqa: E731
    assert "body.a: charged [-twice-]{+thrice+} [bold]\n" in said(act)
    assert "\x1b[" not in said(act)
    assert "\x1b[31m[-twice-]" in said(act, terminal=True)
    assert shown(LINE).plain == LINE.text


def test_what_was_written_cannot_steer_the_terminal() -> None:
    """Escape sequences in paths and texts are shown by their number."""
    odd = Request("u", "api", "http", "POST", "/\x1b[2J", "", (), Body())
    line = Difference("body.\x1b[1m", "\x1b[31mred", "\u202eturned", "", "")
    text = said(lambda report: report.asked(odd, Differs(odd, EXCHANGE, (line,))))
    assert not set(text) & {"\x1b", "\u202e"}
    never = [{"connection": "api", "method": "GET", "path": "/\x1b[2J"}]
    told = {"recorded": 1, "served": 0, "differing": [], "not_on_record": [], "never_asked": never}
    assert "\x1b" not in said(lambda report: report.summary(told))


def test_quiet_leaves_out_what_is_as_it_was() -> None:
    """Not what differs."""
    assert said(lambda report: report.asked(REQUEST, Found(EXCHANGE)), quiet=True) == ""
    assert said(lambda report: report.same(REQUEST), quiet=True) == ""
    assert said(lambda report: report.skipped(REQUEST, "why"), quiet=True) != ""
    assert "same" in said(lambda report: report.same(REQUEST))


def test_the_summary_counts_and_names_what_was_never_asked() -> None:
    """Up to a bound."""
    never = [{"connection": "api", "method": "GET", "path": f"/{n}"} for n in range(MAX_LISTED + 3)]
    told = {"recorded": 30, "served": 6, "differing": [1], "not_on_record": [], "never_asked": never}
    text = said(lambda report: report.summary(told))
    assert "30 recorded: 6 served, 1 differing, 0 not on record, 23 never asked" in text
    assert "never asked: api GET /0\n" in text
    assert "and 3 more: --json" in text


def test_nothing_on_record_steers_the_terminal_or_begins_a_line() -> None:
    """Neither the name of an exchange, nor why it has no answer, nor why it is not sent, nor a text."""
    odd = "\x1b[2J\nserved     api GET /"
    exchange = Exchange(odd, REQUEST, None)
    for act in (
        lambda report: report.asked(REQUEST, Differs(REQUEST, exchange, ())),
        lambda report: report.asked(REQUEST, NotOnRecord(EXCHANGE, odd)),
        lambda report: report.skipped(REQUEST, odd),
        lambda report: report.differs(REQUEST, odd, (Difference(odd, odd, odd),)),
    ):
        lines = said(act).splitlines()
        assert not any(line.startswith("served") for line in lines)
        assert "\x1b" not in "".join(lines)
