"""The OpenSearch side of a deletion: what is there, whose it is, and its end; every call bounded.

Nothing here decides what may go. A document that is not there any more is deleted already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from tachograph.cli.errors import PartDown, Refused
from tachograph.forensics.deletion.plan import Target
from tachograph.sinks.client import Cluster
from tachograph.sinks.errors import CallRefused, Unavailable
from tachograph.sinks.record import Message, Record, index_of
from tachograph.sinks.stored import mget_body, read_stored

__all__ = ["BATCH", "Store"]

BATCH = 1_000
"""Documents of one call."""
PAGE = 5_000
TRIES, AGAIN_SECONDS = 20, 0.5
SCROLL = "2m"
TACHO = "unmapped.tacho"
_NOTHING = Message("", 0, 0, 0, None, b"")
_MISSING = {"ignore_unavailable": "true", "allow_no_indices": "true"}


class Store:
    """The indices of one prefix. Raises `PartDown` where the cluster does not answer, `Refused` where it
    does not let us."""

    def __init__(self, cluster: Cluster, *, prefix: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._cluster, self.prefix, self._sleep = cluster, prefix, sleep
        self.everything = f"{prefix}-events-*,{prefix}-messages-*"
        self.statements_index = f"{prefix}-deletions"

    def close(self) -> None:
        self._cluster.close()

    def sessions_of(self, principal: str) -> list[str]:
        """Every session with a record by this principal."""
        query = {"term": {f"{TACHO}.principal.id": principal}}
        return sorted(self._buckets(self.everything, query, f"{TACHO}.session"))

    def has_session(self, session: str) -> bool:
        """Whether any document of it is there."""
        return self._any({"term": {f"{TACHO}.session": session}})

    def is_gateways(self, subject: str) -> bool:
        """Whether a gateway's own strand is among the sessions of this principal, or is this session."""
        named = [{"term": {f"{TACHO}.{field}": subject}} for field in ("principal.id", "session")]
        own = [{"term": {f"{TACHO}.principal.{field}": "gateway"}} for field in ("kind", "id")]
        return self._any({"bool": {"filter": own, "should": named, "minimum_should_match": 1}})

    def gateways(self) -> list[str]:
        """The gateways' own sessions: those with a heartbeat."""
        query = {"term": {f"{TACHO}.type": "heartbeat"}}
        return sorted(self._buckets(f"{self.prefix}-events-*", query, f"{TACHO}.session"))

    def still_in(self, sessions: Sequence[str], *, since: int) -> set[str]:
        """Those of these sessions that have an event of this Unix millisecond or later."""
        found: set[str] = set()
        for start in range(0, len(sessions), BATCH):
            ours = {"terms": {f"{TACHO}.session": list(sessions[start : start + BATCH])}}
            query = {"bool": {"filter": [ours, {"range": {"time": {"gte": since}}}]}}
            found |= set(self._buckets(f"{self.prefix}-events-*", query, f"{TACHO}.session"))
        return found

    def open_since(self, session: str) -> int | None:
        """Unix milliseconds of the newest record of a strand that has no session.close; None without one."""
        query = {"term": {f"{TACHO}.session": session}}
        closed = {"filter": {"term": {f"{TACHO}.type": "session.close"}}}
        aggs = {"newest": {"max": {"field": "time"}}, "closed": closed}
        found = self._buckets(f"{self.prefix}-events-*", query, f"{TACHO}.epoch", aggs)
        open_ones = [item["newest"]["value"] for item in found.values() if not item["closed"]["doc_count"]]
        return int(max(open_ones)) if open_ones else None

    def counts(self, query: dict[str, Any]) -> dict[str, int]:
        """How many documents of a query each index has."""
        found = self._buckets(f"{self.everything},{self.statements_index}", query, "_index")
        return {name: int(item["doc_count"]) for name, item in found.items()}

    def ids(self, index: str, query: dict[str, Any] | None = None) -> Iterator[str]:
        """The id of every document."""
        body = {"size": PAGE, "_source": False, "sort": ["_doc"], "query": query or {"match_all": {}}}
        answer = self._json("POST", f"/{index}/_search", body, _MISSING | {"scroll": SCROLL})
        while answer and (hits := answer["hits"]["hits"]):
            yield from (hit["_id"] for hit in hits)
            more = {"scroll": SCROLL, "scroll_id": answer["_scroll_id"]}
            answer = self._json("POST", "/_search/scroll", more)
        if answer and "_scroll_id" in answer:  # where there is no index there is none
            self._json("DELETE", "/_search/scroll", {"scroll_id": [answer["_scroll_id"]]})

    def present(self, targets: Sequence[Target]) -> set[str]:
        """The uids of those that are there."""
        found: set[str] = set()
        for records in self._batches(targets):
            answer = self._json("POST", "/_mget", orjson.loads(mget_body(records)), {"_source": "false"})
            found |= {item["_id"] for item in (answer or {}).get("docs", ()) if item.get("found")}
        return found

    def stored(self, targets: Sequence[Target]) -> dict[str, bytes]:
        """The exact bytes of those that are there."""
        found: dict[str, bytes] = {}
        for records in self._batches(targets):
            values = read_stored(records, self._call("POST", "/_mget", mget_body(records)) or b"")
            pairs = zip(records, values, strict=True)
            found |= {record.uid: value for record, value in pairs if value is not None}
        return found

    def delete(self, targets: Sequence[Target]) -> int:
        """Delete these, at most `BATCH`; how many were there. Returns when none is there any more."""
        left, gone = [self._record(target) for target in targets], 0
        for _ in range(TRIES):
            if not left:
                return gone
            lines = [orjson.dumps({"delete": {"_index": item.index, "_id": item.uid}}) for item in left]
            answer = orjson.loads(self._call("POST", "/_bulk", b"\n".join(lines) + b"\n") or b"{}")
            states = [item["delete"].get("status", 0) for item in answer.get("items", ())]
            gone += states.count(200)
            if any(400 <= state < 500 and state not in (404, 429) for state in states):
                raise Refused("OpenSearch does not let this user delete: docs/evidence.md says what it needs")
            left = [item for item, state in zip(left, states, strict=True) if state not in (200, 404)]
            if left:
                self._sleep(AGAIN_SECONDS)
        raise PartDown(f"OpenSearch did not delete {len(left)} documents in {TRIES} tries: run it again")

    def days(self, family: str) -> list[str]:
        """The days of the daily indices of a family, oldest first."""
        start = f"{self.prefix}-{family}-"
        found = self._json("GET", f"/{start}*", None, _MISSING | {"filter_path": "*.settings.index.uuid"})
        return sorted(name[len(start) :] for name in found or {})

    def drop(self, family: str, day: str) -> None:
        """Delete a daily index as a whole."""
        self._call("DELETE", f"/{self.prefix}-{family}-{day}")

    def refresh(self) -> None:
        """Make everything that was indexed searchable now."""
        self._call("POST", f"/{self.everything},{self.statements_index}/_refresh", None, _MISSING)

    def expunge(self, targets: Sequence[Target]) -> None:
        """Let Lucene rewrite the segments that hold enough deleted documents."""
        for index in sorted({self._record(target).index for target in targets}):
            path = f"/{index}/_forcemerge"
            self._call("POST", path, None, _MISSING | {"only_expunge_deletes": "true"})

    def _any(self, query: dict[str, Any]) -> bool:
        body = {"size": 0, "terminate_after": 1, "query": query}
        answer = self._json("POST", f"/{self.everything}/_search", body, _MISSING) or {}
        return bool(answer.get("hits", {}).get("total", {}).get("value"))

    def _buckets(
        self, index: str, query: dict[str, Any], field: str, aggs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        source: dict[str, Any] = {"size": PAGE, "sources": [{"key": {"terms": {"field": field}}}]}
        while True:
            body = {"size": 0, "query": query, "aggs": {"by": {"composite": source, "aggs": aggs or {}}}}
            answer = self._json("POST", f"/{index}/_search", body, _MISSING) or {}
            by = answer.get("aggregations", {}).get("by", {})
            found |= {item["key"]["key"]: item for item in by.get("buckets", ())}
            if "after_key" not in by:
                return found
            source = source | {"after": by["after_key"]}

    def _batches(self, targets: Sequence[Target]) -> Iterator[list[Record]]:
        for start in range(0, len(targets), BATCH):
            yield [self._record(target) for target in targets[start : start + BATCH]]

    def _record(self, target: Target) -> Record:
        index = index_of(self.prefix, target.type, target.day)
        return Record(_NOTHING, target.uid, target.type, index)

    def _json(
        self, method: str, path: str, body: dict[str, Any] | None, params: dict[str, str] | None = None
    ) -> Any:
        answer = self._call(method, path, None if body is None else orjson.dumps(body), params)
        return orjson.loads(answer) if answer else None

    def _call(
        self, method: str, path: str, body: bytes | None = None, params: dict[str, str] | None = None
    ) -> bytes | None:
        headers = {"content-type": "application/x-ndjson" if path == "/_bulk" else "application/json"}
        for left in reversed(range(TRIES)):
            try:
                return self._cluster.call(method, path, body, params=params, headers=headers)
            except CallRefused as refusal:
                if refusal.status == 404:
                    return None
                raise Refused(
                    f"OpenSearch refuses ({refusal.kind}): docs/evidence.md says what it needs"
                ) from None
            except Unavailable as fault:
                if not left:
                    raise PartDown(f"{fault}: `tacho status` says what runs; then run it again") from None
                self._sleep(AGAIN_SECONDS)
        return None
