"""Judge one run: a pure function of what the servers counted, what the topic holds and what is indexed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tachograph.cli.demo.streams import joined_deltas
from tachograph.cli.demo.witness import Exchange, Seen

__all__ = ["Verdict", "judge", "linked", "readable"]

_WIRE = {"session.open", "request", "chunk", "response", "decision", "session.close", "heartbeat"}
_SHOWN = 5

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures, and a sentence for everything that does not hold."""

    exchanges: int
    documents: int
    linked_tool_calls: int
    problems: tuple[str, ...]


def judge(
    seen: Seen,
    refused: int,
    documents: Sequence[Document],
    *,
    masked: Mapping[str, Sequence[bytes]],
    stored: Mapping[str, bytes],
) -> Verdict:
    """`refused` exchanges were answered by the gateway; `masked` and `stored` are bytes by uid."""
    links = linked(documents)
    problems = [
        *_pairs(documents, seen.count + refused),
        *_same_exchanges(seen, documents),
        *_links(seen, links),
        *_same_bytes(masked, stored),
        *_gaps(documents),
    ]
    exchanges = len({_tacho(d)["exchange"] for d in documents if _tacho(d).get("exchange")})
    return Verdict(exchanges, len(documents), len(links), tuple(problems))


def linked(documents: Iterable[Document]) -> set[str]:
    """Ids of tool calls that the model asked for and that an MCP request was recorded with."""
    asked: set[str] = set()
    called: set[str] = set()
    for document in documents:
        tacho = _tacho(document)
        if tacho.get("type") == "response":
            asked.update(call["id"] for call in tacho.get("tool_calls") or ())
        elif tacho.get("type") == "request" and tacho.get("tool_use_id"):
            called.add(tacho["tool_use_id"])
    return asked & called


def readable(documents: Iterable[Document]) -> Iterator[str]:
    """Texts that only come together over several places: streamed deltas, and chunks of one body."""
    chunks: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for document in documents:
        tacho = _tacho(document)
        body = tacho.get("body")
        if not isinstance(body, str):
            continue
        yield from joined_deltas(body)
        if tacho.get("type") == "chunk":
            place = (str(tacho.get("exchange")), str(tacho.get("direction")))
            chunks[place].append((tacho["chunk"]["index"], body))
    for pieces in chunks.values():
        whole = "".join(text for _, text in sorted(pieces))
        yield whole
        yield from joined_deltas(whole)


def _pairs(documents: Iterable[Document], expected: int) -> Iterator[str]:
    count: dict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        tacho = _tacho(document)
        if tacho.get("type") in {"request", "response"}:
            count[str(tacho.get("exchange"))][tacho["type"]] += 1
    wrong = [uid for uid, kinds in count.items() if kinds != {"request": 1, "response": 1}]
    if wrong:
        yield f"{len(wrong)} exchanges without exactly one request and one response document: {_few(wrong)}"
    if len(count) != expected:
        yield f"{expected} exchanges took place, {len(count)} are on record"


def _same_exchanges(seen: Seen, documents: Iterable[Document]) -> Iterator[str]:
    recorded = Counter(
        exchange
        for document in documents
        if _tacho(document).get("type") == "response" and _tacho(document).get("origin") == "upstream"
        for exchange in [_exchange(document)]
    )
    if missing := seen.exchanges - recorded:
        yield f"served but not on record: {_few(str(item) for item in missing)}"
    if surplus := recorded - seen.exchanges:
        yield f"on record but never served: {_few(str(item) for item in surplus)}"


def _exchange(document: Document) -> Exchange:
    tacho, request = _tacho(document), document.get("http_request", {})
    return Exchange(
        connection=str(tacho.get("connection")),
        method=str(request.get("http_method") or tacho.get("method")),
        path=str(request.get("url", {}).get("path")),
        status=int(document.get("http_response", {}).get("code", 0)),
    )


def _links(seen: Seen, links: set[str]) -> Iterator[str]:
    if missing := (seen.tool_use_ids | seen.returned) - links:
        yield f"{len(missing)} tool calls are not linked to the model's turn: {_few(missing)}"


def _same_bytes(masked: Mapping[str, Sequence[bytes]], stored: Mapping[str, bytes]) -> Iterator[str]:
    if unlike := [uid for uid, values in masked.items() if len(set(values)) > 1]:
        yield f"{len(unlike)} events stand on the masked topic in different bytes: {_few(unlike)}"
    if missing := masked.keys() - stored.keys():
        yield f"{len(missing)} masked events are not indexed: {_few(missing)}"
    if surplus := stored.keys() - masked.keys():
        yield f"{len(surplus)} documents are on no topic: {_few(surplus)}"
    differing = [uid for uid in masked.keys() & stored.keys() if stored[uid] not in masked[uid]]
    if differing:
        yield f"{len(differing)} documents differ from their masked event: {_few(differing)}"


def _gaps(documents: Iterable[Document]) -> Iterator[str]:
    strands: dict[tuple[str, str], list[int]] = defaultdict(list)
    for document in documents:
        tacho = _tacho(document)
        if tacho.get("type") in _WIRE and tacho.get("seq") is not None:
            strands[tacho["session"], str(tacho.get("epoch"))].append(tacho["seq"])
    for (session, _), numbers in strands.items():
        if sorted(numbers) != list(range(len(numbers))):
            yield f"session {session}: record numbers are not gap-free ({len(numbers)} up to {max(numbers)})"


def _tacho(document: Document) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document.get("unmapped", {}).get("tacho", {})
    return found


def _few(items: Iterable[str]) -> str:
    listed = sorted(items)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
