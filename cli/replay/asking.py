"""Send recorded requests to a test target, one after the other, and say how each answer differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from tachograph.cli.errors import PartDown, WrongUse
from tachograph.cli.interrupt import interruptible
from tachograph.cli.replay.masking import Answered, Masking
from tachograph.cli.replay.report import Reporter
from tachograph.forensics.replay.against import Skipped, Values, compared_answers, prepared
from tachograph.forensics.replay.recorded import Exchange
from tachograph.forensics.replay.server import Came

__all__ = ["Target", "ask_all"]

TIMEOUT_SECONDS = 60.0
MAX_ANSWER_BYTES = 64 << 20
_SESSION = "mcp-session-id"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send them. `headers` go with each request, instead of recorded ones of that name."""

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise WrongUse(f"--against {self.url}: expected the URL of a test target, or a connection's name")


def ask_all(
    exchanges: Sequence[Exchange],
    target: Target,
    *,
    values: Values,
    masking: Masking,
    report: Reporter,
    ignored: frozenset[str],
) -> dict[str, Any]:
    """Counts, and what differed. Raises `PartDown` for a target that does not answer, `Interrupted`."""
    told: dict[str, Any] = {"sent": 0, "same": 0, "differing": [], "skipped": []}

    def so_far() -> str:
        sent = f"{told['sent']} of {len(exchanges)} requests were sent and answered"
        return f"{sent}; the target may have one more. Run again, it begins with the first."

    with interruptible(so_far), httpx.Client(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
        line = _Line(client, target)
        for exchange in exchanges:
            request = exchange.request
            named = {"exchange": exchange.id, "method": request.method, "path": request.path}
            sent = line.send(exchange, values, masking.placeholders(request.connection))
            if isinstance(sent, Skipped):
                told["skipped"].append(named | {"why": sent.why})
                report.skipped(request, sent.why)
                continue
            came, answered = sent
            found = compared_answers(exchange, masking.exchange(came, answered), ignored)
            told["sent"] += 1
            if found:
                told["differing"].append(named | {"differences": [item.text for item in found]})
                report.differs(request, f"exchange {exchange.id}", found)
            else:
                told["same"] += 1
                report.same(request)
    return told


class _Line:
    """One client of the target; an MCP session that the target opens is kept up."""

    def __init__(self, client: httpx.Client, target: Target) -> None:
        self._client, self._target = client, target
        self._session: str | None = None

    def send(
        self, exchange: Exchange, values: Values, ours: frozenset[str]
    ) -> tuple[Came, Answered] | Skipped:
        ready = prepared(exchange.request, values, ours)
        if isinstance(ready, Skipped):
            return ready
        own = self._target.headers | ({_SESSION: self._session} if self._session else {})
        names = {name.lower() for name in own}
        headers = [(name, value) for name, value in ready.headers if name.lower() not in names]
        headers += list(own.items())
        came = Came(exchange.request.connection, ready.method, ready.target, tuple(headers), ready.body)
        return came, self._ask(came)

    def _ask(self, came: Came) -> Answered:
        url = self._target.url.rstrip("/") + came.target
        data = bytearray()
        try:
            with self._client.stream(
                came.method, url, headers=list(came.headers), content=came.body or None
            ) as answer:
                for piece in answer.iter_bytes():
                    data += piece
                    if len(data) > MAX_ANSWER_BYTES:
                        raise PartDown(
                            f"{self._target.url}: an answer is longer than {MAX_ANSWER_BYTES} bytes"
                        )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PartDown(f"{self._target.url}: {type(error).__name__}; does the target run?") from None
        self._session = answer.headers.get(_SESSION, self._session)
        # What httpx has decoded says no longer that it is encoded.
        gone = {"content-encoding", "content-length", "transfer-encoding"}
        fields = ((name, value) for name, value in answer.headers.multi_items() if name not in gone)
        return Answered(answer.status_code, tuple(fields), bytes(data))
