"""Dead letters: what their headers say, and when there are too many."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachograph.processors.deadletter import Budget, Origin, letter_headers
from tachograph.processors.errors import DeadLetterFlood, Poisoned
from tachograph.schemas.envelope import parse_sealed

ORIGIN = Origin("tacho.raw", 3, 42, 1_795_000_000_000)


def test_headers_say_why_and_where(new_strand: Callable[..., Any]) -> None:
    """Reason, origin and the record's clear facts: enough to find and to replay it."""
    strand = new_strand()
    record = strand.request(b"", exchange=strand.new_exchange())
    headers = dict(letter_headers(ORIGIN, Poisoned("seal-broken", "altered"), parse_sealed(record.value)))
    assert headers["reason"] == "seal-broken"
    assert (headers["origin-topic"], headers["origin-partition"], headers["origin-offset"]) == (
        "tacho.raw",
        "3",
        "42",
    )
    assert headers["uid"] == str(record.header.uid)
    assert headers["session"] == str(strand.session)
    assert headers["exchange"] == str(record.header.exchange)
    assert headers["connection"] == "api"


def test_a_record_that_cannot_be_read_has_only_reason_and_origin() -> None:
    """Nothing is made up about bytes that hold no header."""
    names = {name for name, _ in letter_headers(ORIGIN, Poisoned("malformed"), None)}
    assert names == {
        "reason",
        "detail",
        "origin-topic",
        "origin-partition",
        "origin-offset",
        "origin-timestamp",
    }


def test_the_limit_stops_before_the_next(tmp_path: Path) -> None:
    """One more than the window allows is refused, not written."""
    budget = Budget(tmp_path / "count.json", clock=lambda: 1000.0, limit=3, window_s=60)
    for _ in range(3):
        budget.spend("malformed")
    with pytest.raises(DeadLetterFlood, match=r"Delete .*count\.json"):
        budget.spend("malformed")


def test_a_restart_does_not_fill_the_purse(tmp_path: Path) -> None:
    """The count outlives the process: restarting does not empty the topic by instalments."""
    path = tmp_path / "count.json"
    Budget(path, clock=lambda: 1000.0, limit=1, window_s=60).spend("malformed")
    with pytest.raises(DeadLetterFlood):
        Budget(path, clock=lambda: 1030.0, limit=1, window_s=60).spend("malformed")
    Budget(path, clock=lambda: 1061.0, limit=1, window_s=60).spend("malformed")


def test_shredded_keys_do_not_count(tmp_path: Path) -> None:
    """Deleting a key is lawful: however many records it shreds, the worker goes on."""
    budget = Budget(tmp_path / "count.json", clock=lambda: 1000.0, limit=1, window_s=60)
    for _ in range(5):
        budget.spend("key-shredded")
    budget.spend("malformed")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"since": "x", "count": 1}', "\x00"])
def test_a_broken_count_starts_anew(tmp_path: Path, text: str) -> None:
    """A damaged file stops nothing."""
    path = tmp_path / "count.json"
    path.write_text(text)
    Budget(path, clock=lambda: 1000.0, limit=1, window_s=60).spend("malformed")


def test_a_clock_that_jumps_back_opens_a_new_window(tmp_path: Path) -> None:
    """A window in the future cannot lock the worker out."""
    now = [5000.0]
    budget = Budget(tmp_path / "count.json", clock=lambda: now[0], limit=1, window_s=60)
    budget.spend("malformed")
    now[0] = 10.0
    budget.spend("malformed")
