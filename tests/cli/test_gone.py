"""What was lawfully deleted is told by its statements, each run in one line."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tachograph.cli.gone import gone, without_names

SESSION = "00000000-0000-0000-0000-000000000002"
UID = "00000000-0000-0000-0000-000000000001"


def statement(count: int, **changes: Any) -> dict[str, Any]:
    said = {
        "v": 1,
        "type": "erasure",
        "at": "2026-01-02T03:04:05Z",
        "by": "officer@desk",
        "rule": "tacho erase: a session",
        "reason": "x",
        "session": SESSION,
        "log": "tachograph/example/0",
        "records": [[index, "2026.01.01", "request", UID] for index in range(count)],
    }
    return {"unmapped": {"tacho": {"type": "erasure", "session": SESSION, "deletion": said | changes}}}


def test_one_run_is_one_line() -> None:
    """However many statements it took; another run, rule or kind is another line, in the order they came."""
    old = {"type": "retention.expired", "rule": "tacho retention: events for 30 days", "reason": None}
    assert gone([statement(2), statement(3, log="tachograph/example/1"), statement(1, **old)]) == [
        "ERASED: 5 records, by officer@desk at 2026-01-02T03:04:05Z (tacho erase: a session; reason: x)",
        "EXPIRED: 1 records, by officer@desk at 2026-01-02T03:04:05Z (tacho retention: events for 30 days)",
    ]


@pytest.mark.parametrize("changes", [{"by": ""}, {"records": []}, {"v": 2}, {"at": "long ago"}])
def test_what_cannot_be_read_is_not_left_out(changes: dict[str, Any]) -> None:
    """A statement of a newer release, or of nobody: it is there, and is said to be."""
    assert gone([statement(2, **changes), statement(1)]) == [
        "ERASED: 1 records, by officer@desk at 2026-01-02T03:04:05Z (tacho erase: a session; reason: x)",
        "1 statements of deletions are in no form that this release reads.",
    ]
    assert gone([{}, {"unmapped": {"tacho": {}}}]) == [
        "2 statements of deletions are in no form that this release reads."
    ]


def test_programs_get_counts_for_lists_of_names() -> None:
    """All else is as it is stored, and what is stored is not touched."""
    source = statement(3)
    kept = copy.deepcopy(source)
    told = without_names(source)
    assert told["unmapped"]["tacho"]["deletion"] == source["unmapped"]["tacho"]["deletion"] | {"records": 3}
    assert source == kept
    assert without_names({"time": 1}) == {"time": 1}
