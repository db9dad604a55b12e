"""The import over Dashboards' own API, spoken to a stand-in for its network side."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tachograph.sinks.dashboards.build import overview
from tachograph.sinks.dashboards.importer import Importer
from tachograph.sinks.errors import OperatorError, Unavailable


def importer(answer: Callable[[httpx.Request], httpx.Response]) -> Importer:
    return Importer("https://dash.example/base/", login=("u", "p"), transport=httpx.MockTransport(answer))


def test_it_posts_the_bundle_as_dashboards_wants_it() -> None:
    """Multipart with the NDJSON, `overwrite`, the `osd-xsrf` header and basic authentication."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"success": True, "successCount": 16})

    assert importer(answer).run("tacho") == 16
    (request,) = seen
    assert str(request.url) == "https://dash.example/base/api/saved_objects/_import?overwrite=true"
    assert request.headers["osd-xsrf"] == "true"
    assert request.headers["securitytenant"] == "global"
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["content-type"].startswith("multipart/form-data")
    assert overview("tacho") in request.content
    assert b'filename="overview.ndjson"' in request.content


@pytest.mark.parametrize("status", [429, 500, 503])
def test_later_is_unavailable(status: int) -> None:
    """Dashboards answers 503 while it starts."""
    with pytest.raises(Unavailable):
        importer(lambda _: httpx.Response(status)).run("tacho")


def test_no_answer_is_unavailable() -> None:
    """Refused, reset, timed out."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(Unavailable, match="ConnectError"):
        importer(answer).run("tacho")


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(401), "401"),
        (httpx.Response(200, text="<html>"), "is not OpenSearch Dashboards"),
        (httpx.Response(200, json=[]), "is not OpenSearch Dashboards"),
        (
            httpx.Response(
                200, json={"success": False, "successCount": 3, "errors": [{"error": {"type": "conflict"}}]}
            ),
            "took 3 objects and refused others: conflict",
        ),
    ],
)
def test_a_refusal_says_what_to_look_at(response: httpx.Response, words: str) -> None:
    """Rights, address, or which kind of object."""
    with pytest.raises(OperatorError, match=words):
        importer(lambda _: response).run("tacho")


def test_by_hand_points_to_the_file_or_makes_one() -> None:
    """The shipped file is for the default prefix; another prefix needs its own."""
    assert Importer.by_hand("tacho").endswith("overview.ndjson")
    assert "tachograph.sinks.dashboards.build prod" in Importer.by_hand("prod")
