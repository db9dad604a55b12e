"""What waits, in a line."""

from __future__ import annotations

from typing import Any

from tachograph.cli.approvals.view import columns, details, row

VIEW: dict[str, Any] = {
    "id": "00000000-0000-0000-0000-000000000007",
    "asked": "2026-09-21T14:13:20Z",
    "expires": "2026-09-21T14:23:20Z",
    "requester": {"id": "bot"},
    "connection": "files",
    "needs": [
        {"group": "ops", "reason": "why ops", "missing": 1},
        {"group": "dba", "reason": "why dba", "missing": 2},
        {"group": "law", "reason": "", "missing": 0},
    ],
    "document": {
        "http_request": {"http_method": "DELETE", "url": {"path": "/files/7"}},
        "unmapped": {"tacho": {"type": "request", "protocol": "http", "body": "[EMAIL:1]"}},
    },
}


def test_a_line_says_what_it_is_and_who_is_missing() -> None:
    """The action and its masked text, what is lacking, when it ends."""
    line = dict(zip(columns, row(VIEW), strict=True))
    assert (line["id"], line["who"], line["ends (UTC)"]) == ("00000000", "bot", "14:23:20")
    assert line["what"] == "DELETE /files/7"
    assert line["needs"] == "1 of ops, 2 of dba"
    assert line["why"] == "why ops; why dba"
    assert line["text"] == "[EMAIL:1]"


def test_what_is_not_masked_yet_cannot_be_shown() -> None:
    """There is nothing to approve on the strength of."""
    assert "(not masked yet)" in row(VIEW | {"document": None})


def test_whoever_decides_sees_all_of_it() -> None:
    """Not only how it begins: the end of a long body, each header, and what is not in the document."""
    tacho = {
        "body": "x" * 1000 + " the end",
        "tool": "drop",
        "rpc_method": "tools/call",
        "truncated": ["body"],
    }
    http = {"http_method": "POST", "url": {"path": "/mcp"}, "http_headers": [{"name": "X-All", "value": "1"}]}
    told = details({"http_request": http, "unmapped": {"tacho": tacho}})
    assert told.startswith("POST /mcp\nX-All: 1\ntools/call drop\nxxx")
    assert "x the end\n! Not all of it" in told
