"""`tacho verify --live` on a site under load: clean, and then exactly what somebody did behind its back."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from tachograph.cli.main import app
from tachograph.sinks.client import Cluster

pytestmark = pytest.mark.engines

SESSIONS = 4
TURNS = 3


@pytest.fixture
def site(stack: Any, open_site: Callable[..., AbstractContextManager[Any]], tmp_path: Path) -> Iterator[Any]:
    with open_site(tmp_path, stack, {"sealing": {"checkpoint_seconds": 1}}) as opened:
        yield opened


@contextmanager
def load(site: Any) -> Iterator[None]:
    """One agent that asks without a pause."""
    over = threading.Event()

    def work() -> None:
        session = str(uuid.uuid4())
        while not over.is_set():
            _ask(site, session, "load")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _ask(site: Any, session: str, what: str) -> None:
    head = f"X-Tacho-Session: {session}\r\nContent-Type: application/json\r\n"
    site.ask(f"/c/api/{what}", body=orjson.dumps({"question": what}), head=head)


def _audit(site: Any) -> dict[str, Any]:
    done = CliRunner().invoke(
        app, ["verify", "--live", "--json", "--config", str(site.folder / "tacho.yaml")]
    )
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == report["exit_code"], done.output
    return report


def _told(site: Any) -> dict[str, list[dict[str, Any]]]:
    """By path, the documents of requests and responses."""
    found: dict[str, list[dict[str, Any]]] = {}
    for document in site.documents():
        tacho = document["unmapped"]["tacho"]
        if tacho["type"] == "request":
            found.setdefault(document["http_request"]["url"]["path"].rpartition("/")[2], []).append(tacho)
    return found


def test_it_names_what_was_done_behind_its_back_and_nothing_else(site: Any) -> None:
    """Clean under load; then one document edited, one deleted, one session dropped: three findings."""
    names = [f"s{number}" for number in range(SESSIONS)]
    for name in names:
        session = str(uuid.uuid4())
        for _ in range(TURNS):
            _ask(site, session, name)
    site.eventually(lambda: [len(pair) for pair in site.exchanges().values()] == [2] * SESSIONS * TURNS)
    with load(site):
        site.eventually(lambda: _audit(site)["audited"] > SESSIONS * TURNS * 2)
        clean = _audit(site)
        assert (clean["verdict"], clean["findings"], clean["gaps"]) == ("clean", {}, 0), clean["details"]
        assert 0 <= clean["unaudited_share"] < 1
        told = _told(site)
        edited, deleted, dropped = told["s0"][1], told["s1"][1], told["s2"][0]["session"]
        _tamper(site, edited["uid"], deleted["uid"], dropped)
        site.eventually(lambda: len(_audit(site)["details"]) >= 3)
        report = _audit(site)
    found = {item["verdict"]: item["where"] for item in report["details"]}
    assert len(report["details"]) == len(found) == 3, report["details"]
    assert edited["uid"] in found["record-altered"]
    assert deleted["uid"] in found["document-missing"]
    assert found["session-missing"] == f"session {dropped}"
    assert report["exit_code"] == 31


def _tamper(site: Any, edited: str, deleted: str, dropped: str) -> None:
    cluster = Cluster(site.config.opensearch, base=site.folder)
    everything = f"/{site.prefix}-events-*,{site.prefix}-messages-*"

    def place(uid: str) -> tuple[str, dict[str, Any]]:
        query = {"query": {"term": {"metadata.uid": uid}}}
        answer = orjson.loads(cluster.call("POST", f"{everything}/_search", orjson.dumps(query)))
        hit = answer["hits"]["hits"][0]
        return f"/{hit['_index']}/_doc/{uid}", hit["_source"]

    path, document = place(edited)
    cluster.put(path, document | {"message": "nothing happened"})
    cluster.call("DELETE", place(deleted)[0])
    query = {"query": {"term": {"unmapped.tacho.session": dropped}}}
    params = {"refresh": "true", "conflicts": "proceed"}
    gone = orjson.loads(
        cluster.call("POST", f"{everything}/_delete_by_query", orjson.dumps(query), params=params)
    )
    assert gone["deleted"] >= TURNS * 2
    cluster.close()
