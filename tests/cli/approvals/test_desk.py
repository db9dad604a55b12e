"""The console's API as the command line speaks it, and what becomes of its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tachograph.cli.approvals.desk import ConsoleDesk
from tachograph.cli.errors import CliError, PartDown, Refused, WrongUse

VIEW = {"id": "7b0c", "request_digest": "a" * 64, "shown": "b" * 64}


def desk(answer: Callable[[httpx.Request], httpx.Response]) -> ConsoleDesk:
    return ConsoleDesk("https://console.example/", "token-1", transport=httpx.MockTransport(answer))


def test_every_call_carries_the_token_and_says_what_was_shown() -> None:
    """A decision is bound to the digest of the request and of the document that the reviewer saw."""
    seen: list[tuple[str, str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer token-1"
        body = json.loads(request.content) if request.content else None
        seen.append((request.method, request.url.raw_path.decode(), body))
        return httpx.Response(200, json={"approvals": [VIEW], "grants": [], **VIEW})

    made = desk(answer)
    assert made.pending() == [VIEW]
    made.find("7b/0c")
    made.decide(VIEW, "approve", comment="fine", minutes=5)
    assert made.grants() == []
    made.revoke("7b0c")
    made.close()
    decision = {"verdict": "approve", "comment": "fine", "grant_minutes": 5}
    assert seen == [
        ("GET", "/api/approvals?state=pending", None),
        ("GET", "/api/approvals/7b%2F0c", None),
        (
            "POST",
            "/api/approvals/7b0c/decisions",
            {**decision, "request_digest": "a" * 64, "shown": "b" * 64},
        ),
        ("GET", "/api/grants", None),
        ("POST", "/api/grants/7b0c/revocation", {}),
    ]


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (httpx.Response(401, json={"detail": "expired"}), Refused, "tacho login"),
        (httpx.Response(403, json={"detail": "the reviewer is who asked"}), Refused, "who asked"),
        (httpx.Response(404, json={"detail": "no such approval"}), Refused, "no such approval"),
        (httpx.Response(409, json={"detail": "the approval has ended"}), Refused, "has ended"),
        (httpx.Response(400, json={"detail": "expected a verdict"}), WrongUse, "expected a verdict"),
        (httpx.Response(503, text="<html>"), PartDown, "HTTP 503"),
        (httpx.Response(200, text="<html>"), PartDown, "is this the console's address"),
        (httpx.Response(200, json=[1]), PartDown, "is this the console's address"),
        (httpx.Response(302, headers={"location": "/login"}), Refused, "HTTP 302"),
    ],
)
def test_what_the_console_says_no_to(answer: httpx.Response, error: type[CliError], text: str) -> None:
    """In the console's own words, with the exit code of its kind; no redirect is followed."""
    made = desk(lambda _: answer)
    with pytest.raises(error, match=text):
        made.find("7b0c")
    made.close()


def test_a_console_that_is_down_names_the_other_way() -> None:
    """Whoever may read the key can decide without it."""

    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    made = desk(down)
    with pytest.raises(PartDown, match="--as NAME"):
        made.pending()
    made.close()
