"""One question to somebody outside, over HTTP: bounded in time, in tries, in bytes that are read."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tachograph.credentials.deadline import DeadlineTransport, within
from tachograph.processors.errors import AnchorFault

__all__ = ["Answer", "Caller", "http_client"]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
"""The longest silence while an answer comes; a try as a whole may take twice as long."""
MAX_ANSWER_BYTES = 64 << 10
TRIES, AGAIN_SECONDS = 2, 1.0
"""How often a question is put, and the pause between: the next checkpoint is asked about in any case."""
_LATER = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    kind: str
    body: bytes


def http_client() -> httpx.Client:
    """With the system's certificates, or those of SSL_CERT_FILE; redirects are not followed.

    Through a proxy of the environment the headers are bounded by each silence only: httpx knows no more.
    """
    proxied = {"http", "https", "all"} & urllib.request.getproxies().keys()
    return httpx.Client(
        transport=None if proxied else DeadlineTransport(httpx.create_ssl_context()),
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
    )


class Caller:
    """Posts to one address. `wait` sleeps, and returns true when it is time to stop."""

    def __init__(self, http: httpx.Client, url: str, *, wait: Callable[[float], bool]) -> None:
        self._http, self._url, self._wait = http, url, wait

    def post(self, body: bytes, kind: str) -> Answer:
        """The answer, whatever its status is. Raises `AnchorFault` where none comes."""
        fault = "not asked"
        for turn in range(TRIES):
            if turn and self._wait(AGAIN_SECONDS):
                break
            try:
                answer = self._once(body, kind)
            except httpx.HTTPError as error:
                fault = f"no answer ({type(error).__name__})"
                continue
            if answer.status not in _LATER:
                return answer
            fault = f"it answered {answer.status}"
        raise AnchorFault(fault)

    def _once(self, body: bytes, kind: str) -> Answer:
        end = time.monotonic() + 2 * ANSWER_SECONDS
        told, whole = {"content-type": kind}, within(2 * ANSWER_SECONDS)
        with self._http.stream("POST", self._url, content=body, headers=told, extensions=whole) as answer:
            data = b""
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > MAX_ANSWER_BYTES or time.monotonic() > end:
                    raise AnchorFault("its answer is too long, or took too long")
            media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Answer(answer.status_code, media, data)
