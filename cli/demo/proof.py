"""Look everywhere after a run: count, compare, and search every kept byte for what was planted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tachograph.cli.demo import control, evidence
from tachograph.cli.demo.control import Control
from tachograph.cli.demo.decisions import Decisions, decided
from tachograph.cli.demo.evidence import Message
from tachograph.cli.demo.leaks import Search
from tachograph.cli.demo.verdict import Verdict, judge, readable
from tachograph.cli.demo.witness import Seen
from tachograph.cli.documents import Documents
from tachograph.cli.settings import Settings
from tachograph.processors.keyfile import open_keys

__all__ = ["Leaks", "Proof", "complete_pairs", "prove"]

Leaks = Mapping[str, set[str]]
"""Where something of which credential was found."""


@dataclass(frozen=True, slots=True)
class Proof:
    """All that was found out; good when there is no problem, no leak, and nothing went to the dead letter."""

    verdict: Verdict
    leaks: Leaks
    searched: Mapping[str, int]
    """Bytes searched, by place."""
    dead_letters: int
    control: Control
    planted: frozenset[str]
    """Names of the credentials that must be on record, encrypted."""
    decisions: Decisions
    """What people decided, and what came of it."""

    @property
    def leaked(self) -> set[str]:
        return {name for names in self.leaks.values() for name in names}

    @property
    def problems(self) -> tuple[str, ...]:
        found = [
            f"found in {place}: {', '.join(sorted(names))}" for place, names in sorted(self.leaks.items())
        ]
        dead = [f"{self.dead_letters} records went to the dead letter"] if self.dead_letters else []
        missing = sorted(self.planted - self.control.recorded)
        absent = [f"planted, but not even in the encrypted record: {', '.join(missing)}"] if missing else []
        judged = (*self.verdict.problems, *self.decisions.problems, *self.control.problems)
        return (*judged, *absent, *found, *dead)

    @property
    def good(self) -> bool:
        return not self.problems


def prove(settings: Settings, search: Search, seen: Seen, *, refused: int, planted: frozenset[str]) -> Proof:
    """Read everything that is kept; raises PartDown when it cannot be read.

    `refused` exchanges were answered by the gateway itself; of `planted` the encrypted record must have all.
    """
    kafka = settings.configuration.kafka
    topics = {
        name: evidence.read_topic(kafka.bootstrap_servers, getattr(kafka.topics, name))
        for name in ("raw", "masked", "keys", "deadletter", "approvals")
    }
    stored = _stored(settings)
    documents = [orjson.loads(source) for source in stored.values()]
    verdict = judge(seen, refused, documents, masked=_by_uid(topics["masked"]), stored=stored)
    leaks: dict[str, set[str]] = defaultdict(set)
    searched: dict[str, int] = defaultdict(int)
    for place, data in (*_topics(topics), *_indexed(stored, documents), *_files(settings)):
        searched[place] += len(data)
        if found := search.found(data):
            leaks[place] |= found
    with closing(open_keys(settings.configuration, base=settings.base)) as ring:
        found_raw = control.examine(topics["raw"], topics["keys"], search, ring)
    people = decided(seen, documents, stored)
    return Proof(verdict, dict(leaks), dict(searched), len(topics["deadletter"]), found_raw, planted, people)


def complete_pairs(settings: Settings) -> int:
    """How many exchanges have both documents by now: what a waiting run asks again and again."""
    kinds: dict[str, set[str]] = defaultdict(set)
    query = {"terms": {"unmapped.tacho.type": ["request", "response"]}}
    with closing(Documents.open(settings)) as documents:
        documents.refresh()
        for hit in documents.scan(documents.events, query):
            tacho: Mapping[str, Any] = hit["_source"]["unmapped"]["tacho"]
            kinds[str(tacho.get("exchange"))].add(tacho["type"])
    return sum(len(found) == 2 for found in kinds.values())


def _stored(settings: Settings) -> dict[str, bytes]:
    with closing(Documents.open(settings)) as documents:
        documents.refresh()
        hits = documents.scan(documents.everything, {"match_all": {}})
        return {hit["_id"]: documents.source(hit["_index"], hit["_id"]) or b"" for hit in hits}


def _by_uid(messages: list[Message]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for message in messages:
        found[message.header("uid")].append(message.value)
    return found


def _topics(topics: Mapping[str, list[Message]]) -> Iterator[tuple[str, bytes]]:
    for name, messages in topics.items():
        yield from ((f"the {name} topic", message.everything) for message in messages)


def _indexed(stored: Mapping[str, bytes], documents: list[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    yield from (("OpenSearch", source) for source in stored.values())
    yield from (("OpenSearch, streams put together", text.encode()) for text in readable(documents))


def _files(settings: Settings) -> Iterator[tuple[str, bytes]]:
    home = settings.home
    spool = settings.base / settings.configuration.ingress.spool.path
    worker = settings.base / settings.configuration.processor.data_dir
    folders: dict[str, Path] = {
        "the broker's log files": home / "data" / "kafka",
        "OpenSearch's files": home / "data" / "opensearch",
        "the logs": home / "logs",
        "the spool": spool,
        "the processor's folder": worker,
    }
    for place, folder in folders.items():
        yield from ((place, data) for _, data in evidence.files(folder))
