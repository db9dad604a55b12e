"""Reading masked events back from OpenSearch: sessions, one session's story, full-text search.

Sources come as they are stored. A cluster that does not answer is PartDown, a query that it cannot read is
WrongUse; an index that is not there yet is simply empty.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from tachograph.cli.errors import PartDown, Refused, WrongUse
from tachograph.cli.settings import Settings
from tachograph.sinks.client import Cluster
from tachograph.sinks.errors import Busy, CallRefused, Unavailable

__all__ = ["FULL_TEXT", "MAX_HITS", "Documents", "SessionSummary"]

PAGE = 500
MAX_HITS = 10_000
"""The most documents that one command reads."""
MAX_STATEMENTS = 100
"""Of one session: each names up to 5,000 records."""
BUSY_SECONDS = 30.0
"""How long a question is put again to a cluster that is there and cannot just now."""
AGAIN_SECONDS = 0.1
TACHO = "unmapped.tacho"
FULL_TEXT = (
    "message",
    "message_context.prompt_text",
    "message_context.response_text",
    f"{TACHO}.body",
    f"{TACHO}.arguments_text",
    "status_detail",
)
"""Analysed fields that a bare word is looked for in."""
KEYWORDS = (
    f"{TACHO}.connection",
    f"{TACHO}.tool",
    f"{TACHO}.tool_use_id",
    f"{TACHO}.tool_calls.id",
    f"{TACHO}.session",
    f"{TACHO}.exchange",
    "api.operation",
    "ai_model.name",
    f"{TACHO}.principal.id",
    "http_request.url.path",
    "metadata.uid",
)
"""Fields that a bare word is compared with as a whole."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One session: times in RFC 3339, tokens and cost as far as they are known."""

    session: str
    principal: str
    started: str
    ended: str
    exchanges: int
    failures: int
    tokens: int
    cost_usd: float
    models: tuple[str, ...]


class Documents:
    """The indices of one configuration."""

    max_hits = MAX_HITS

    def __init__(
        self,
        cluster: Cluster,
        *,
        index_prefix: str,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._sleep = sleep
        self._url = url
        self.events = f"{index_prefix}-events-*"
        self.statements = f"{index_prefix}-deletions"
        self.everything = f"{self.events},{index_prefix}-messages-*,{self.statements}"

    @classmethod
    def open(cls, settings: Settings) -> Documents:
        """Reach the cluster that the configuration names; nothing is sent yet."""
        told = settings.configuration.opensearch
        return cls(Cluster(told, base=settings.base), index_prefix=told.index_prefix, url=told.url)

    def close(self) -> None:
        """Close every connection."""
        self._cluster.close()

    def refresh(self) -> None:
        """Make everything that was indexed searchable now."""
        self._call("POST", f"/{self.everything}/_refresh", None)

    def sessions(self, limit: int) -> list[SessionSummary]:
        """The sessions that were active last, newest first; without the gateways' own."""
        body = {"size": 0, "query": _OF_AGENTS, "aggs": {"sessions": _sessions_aggregation(limit)}}
        answer = self._search(self.events, body)
        buckets = answer.get("aggregations", {}).get("sessions", {}).get("buckets", [])
        return [_summary(bucket) for bucket in buckets]

    def resolve(self, session: str) -> str:
        """The one session whose id begins so; raises Refused when there is none, or more than one."""
        body = {
            "size": 0,
            "query": {"prefix": {f"{TACHO}.session": session.lower()}},
            "aggs": {"sessions": {"terms": {"field": f"{TACHO}.session", "size": 5}}},
        }
        answer = self._search(f"{self.events},{self.statements}", body)  # of one erased, statements are left
        found = [b["key"] for b in answer.get("aggregations", {}).get("sessions", {}).get("buckets", [])]
        if not found:
            raise Refused(f"no session {session}: `tacho sessions` shows which there are")
        if len(found) > 1:
            raise Refused(
                f"{session} begins {len(found)} or more sessions ({', '.join(found)}): say more of it"
            )
        return str(found[0])

    def story(self, session: str) -> Iterator[dict[str, Any]]:
        """Every event of a session but chunks and heartbeats, in the order of the wire."""
        query = {
            "bool": {
                "filter": [{"term": {f"{TACHO}.session": session}}],
                "must_not": [{"terms": {f"{TACHO}.type": ["chunk", "part", "message", "heartbeat"]}}],
            }
        }
        return (hit["_source"] for hit in self.scan(self.events, query))

    def deletions(self, session: str) -> list[dict[str, Any]]:
        """The statements that records of a session were lawfully deleted, the oldest first."""
        query = {"bool": {"filter": [{"term": {f"{TACHO}.session": session}}]}}
        body = {"size": MAX_STATEMENTS, "query": query, "sort": [{"time": "asc"}, {"metadata.uid": "asc"}]}
        hits = self._search(self.statements, body).get("hits", {}).get("hits", [])
        return [hit["_source"] for hit in hits]

    def search(self, text: str, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """How many documents match, and the newest of them; raises WrongUse for an unreadable query."""
        body = {
            "size": limit,
            "track_total_hits": True,
            "query": {
                "query_string": {
                    "query": text,
                    "fields": [*FULL_TEXT, *KEYWORDS],
                    "lenient": True,
                    "default_operator": "AND",
                }
            },
            "sort": [{"time": "desc"}, {"metadata.uid": "asc"}],
        }
        answer = self._search(self.everything, body)
        hits = answer.get("hits", {})
        total = hits.get("total", {}).get("value", 0)
        return total, [hit["_source"] for hit in hits.get("hits", [])]

    def scan(self, index: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Every hit of a query, at most MAX_HITS, by time and then by place in the strand."""
        after: list[Any] | None = None
        seen = 0
        while seen < MAX_HITS:
            body: dict[str, Any] = {"size": PAGE, "query": query, "sort": _ORDER}
            if after is not None:
                body["search_after"] = after
            hits = self._search(index, body).get("hits", {}).get("hits", [])
            yield from hits
            seen += len(hits)
            if len(hits) < PAGE:
                return
            after = hits[-1]["sort"]

    def ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """One search of the events, as OpenSearch takes it and answers."""
        return self._search(self.events, body)

    def source(self, index: str, uid: str) -> bytes | None:
        """The stored bytes of one document."""
        try:
            return self._cluster.source(index, uid)
        except (Unavailable, CallRefused) as fault:
            raise self._down(fault) from None

    def _search(self, index: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self._call("POST", f"/{index}/_search", body) or {})

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        params = {"ignore_unavailable": "true", "allow_no_indices": "true"}
        try:
            answer = self._answer(method, path, None if body is None else orjson.dumps(body), params)
        except CallRefused as refusal:
            if refusal.status == 404:
                return None
            if refusal.status == 400:
                raise WrongUse(
                    f"OpenSearch cannot read this query ({refusal.kind}): see its query string syntax, and "
                    "quote it for your shell, for example 'unmapped.tacho.tool:read_file AND status_id:2'"
                ) from None
            raise self._down(refusal) from None
        except Unavailable as fault:
            raise self._down(fault) from None
        return orjson.loads(answer) if answer else None

    def _answer(self, method: str, path: str, body: bytes | None, params: Mapping[str, str]) -> bytes:
        until = self._clock() + BUSY_SECONDS
        while True:
            try:
                return self._cluster.call(method, path, body, params=params)
            except Busy:
                if self._clock() >= until:
                    raise
                self._sleep(AGAIN_SECONDS)

    def _down(self, fault: Exception) -> PartDown:
        return PartDown(
            f"{self._url}: {fault}. Is everything up? `tacho status` and `tacho doctor` say what is not"
        )


_ORDER = [
    {f"{TACHO}.ts": {"order": "asc", "missing": "_last", "unmapped_type": "date_nanos"}},
    {f"{TACHO}.seq": {"order": "asc", "missing": "_last", "unmapped_type": "long"}},
    {"metadata.uid": "asc"},
]


def _sessions_aggregation(limit: int) -> dict[str, Any]:
    return {
        "terms": {"field": f"{TACHO}.session", "size": limit, "order": {"ended": "desc"}},
        "aggs": {
            "started": {"min": {"field": "time"}},
            "ended": {"max": {"field": "time"}},
            "requests": {"filter": {"term": {f"{TACHO}.type": "request"}}},
            "failures": {"filter": {"bool": {"filter": _FAILED}}},
            "input": {"sum": {"field": f"{TACHO}.usage.input_tokens"}},
            "output": {"sum": {"field": f"{TACHO}.usage.output_tokens"}},
            "cost": {"sum": {"field": f"{TACHO}.cost_usd"}},
            "principal": {"terms": {"field": f"{TACHO}.principal.id", "size": 1}},
            "models": {"terms": {"field": "ai_model.name", "size": 5}},
        },
    }


_OF_AGENTS = {"bool": {"must_not": [{"term": {f"{TACHO}.principal.kind": "gateway"}}]}}
_FAILED = [{"term": {f"{TACHO}.type": "response"}}, {"term": {"status_id": 2}}]


def _summary(bucket: Mapping[str, Any]) -> SessionSummary:
    principals = [item["key"] for item in bucket["principal"]["buckets"]]
    return SessionSummary(
        session=bucket["key"],
        principal=principals[0] if principals else "",
        started=_rfc3339(bucket["started"]["value"]),
        ended=_rfc3339(bucket["ended"]["value"]),
        exchanges=bucket["requests"]["doc_count"],
        failures=bucket["failures"]["doc_count"],
        tokens=int(bucket["input"]["value"] + bucket["output"]["value"]),
        cost_usd=round(bucket["cost"]["value"], 6),
        models=tuple(item["key"] for item in bucket["models"]["buckets"]),
    )


def _rfc3339(millis: float | None) -> str:
    if millis is None:
        return ""
    return (
        datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
