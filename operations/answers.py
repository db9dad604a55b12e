"""The answers to /healthz (is it alive), /readyz (does it get its work done) and /metrics; no I/O.

They are the same in every part. Nothing here needs an identity, so nothing says more than counts and states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

import orjson
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["Answer", "Readiness", "answer"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """`refusing` says why a part does not get its work done, and is empty while it does.

    `details` are states, counts and seconds; they stand beside it in the answer.
    """

    refusing: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


class Answer(NamedTuple):
    """One HTTP response: its status, media type and body."""

    status: HTTPStatus
    media: str
    body: bytes


def answer(path: str, readiness: Callable[[], Readiness], metrics: Callable[[], bytes]) -> Answer:
    """What is said at a path; a query is passed over. `metrics` is in Prometheus' text format."""
    match path.partition("?")[0]:
        case "/healthz":
            return Answer(HTTPStatus.OK, "text/plain", b"ok\n")
        case "/metrics":
            return Answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, metrics())
        case "/readyz":
            return _ready(readiness())
        case _:
            return Answer(HTTPStatus.NOT_FOUND, "text/plain", b"expected /healthz, /readyz or /metrics\n")


def _ready(found: Readiness) -> Answer:
    body = orjson.dumps({"ready": not found.refusing, "refusing": found.refusing, **found.details})
    status = HTTPStatus.SERVICE_UNAVAILABLE if found.refusing else HTTPStatus.OK
    return Answer(status, "application/json", body)
