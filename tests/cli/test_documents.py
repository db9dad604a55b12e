"""Reading back from a real OpenSearch, with the templates that we put there."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tachograph.cli.documents import AGAIN_SECONDS, BUSY_SECONDS, Documents
from tachograph.cli.errors import PartDown, Refused, WrongUse
from tachograph.cli.evidence.heartbeats import heartbeats_wanted
from tachograph.cli.stack.config import Endpoints
from tachograph.schemas.config import OpenSearch
from tachograph.sinks.client import Cluster
from tachograph.sinks.errors import Busy
from tachograph.sinks.index_templates import templates

pytestmark = pytest.mark.engines

SESSION = "11111111-2222-8333-8444-555555555555"
OTHER = "11111111-9999-8333-8444-555555555555"
GATEWAY = "33333333-3333-5333-8333-333333333333"


def _event(number: int, kind: str, *, session: str = SESSION, **more: Any) -> dict[str, Any]:
    tacho = {
        "type": kind,
        "session": session,
        "exchange": f"exchange-{number // 2}",
        "seq": number,
        "ts": f"2026-01-02T03:04:05.{number:09}Z",
        "principal": {"id": "builder", "kind": "api_key"},
        **more.pop("tacho", {}),
    }
    uid = f"{session[:13]}-{kind}-{number}"
    return {"time": 1767323045000, "metadata": {"uid": uid}, "unmapped": {"tacho": tacho}, **more}


def _beat(number: int) -> dict[str, Any]:
    strand = {"session": SESSION, "epoch": "e", "records": number + 1, "head": "a" * 64, "open": True}
    beat = {"boot": "b", "number": number, "at": "", "strands": [strand], "last": True}
    who = {"principal": {"id": "gateway", "kind": "gateway"}, "heartbeat": beat}
    return _event(number, "heartbeat", session=GATEWAY, tacho=who)


EVENTS = (
    _event(0, "session.open"),
    _event(1, "request", message_context={"prompt_text": "the customer was charged twice"}),
    _event(
        2,
        "response",
        status_id=2,
        ai_model={"name": "claude"},
        http_response={"code": 529},
        tacho={"usage": {"input_tokens": 5, "output_tokens": 2}, "cost_usd": 0.25},
    ),
    _event(3, "chunk", tacho={"body": "charged"}),
    _event(4, "request", tacho={"tool": "read_file"}),
    _event(1, "request", session=OTHER),
    *(_beat(number) for number in (0, 1)),
)


@pytest.fixture(scope="module")
def documents(stack: Endpoints) -> Iterator[Documents]:
    """A prefix of its own with a few events in it."""
    prefix = f"cli-{secrets.token_hex(4)}"
    cluster = Cluster(OpenSearch(url=stack.opensearch_url), base=Path())
    made = templates(prefix, shards=1, replicas=0)
    for template in made:
        cluster.put(template.path, template.body)
    for event in EVENTS:
        path = f"/{prefix}-events-2026.01.02/_doc/{event['metadata']['uid']}"
        cluster.call("PUT", path, orjson.dumps(event))
    found = Documents(cluster, index_prefix=prefix, url=stack.opensearch_url)
    found.refresh()
    yield found
    cluster.call("DELETE", f"/{prefix}-events-2026.01.02")
    for template in reversed(made):
        cluster.call("DELETE", template.path)
    cluster.close()


def test_sessions_are_summed_up(documents: Documents) -> None:
    """Exchanges, failures, tokens and cost of each, its principal and models."""
    found = {item.session: item for item in documents.sessions(10)}
    one = found[SESSION]
    assert (one.exchanges, one.failures, one.tokens, one.cost_usd) == (2, 1, 7, 0.25)
    assert (one.principal, one.models) == ("builder", ("claude",))
    assert one.started == "2026-01-02T03:04:05.000Z"
    assert found[OTHER].exchanges == 1
    assert GATEWAY not in found


def test_a_session_is_found_by_how_it_begins(documents: Documents) -> None:
    """Enough of it has to be said."""
    assert documents.resolve(SESSION[:12]) == SESSION
    with pytest.raises(Refused, match="say more"):
        documents.resolve("11111111")
    with pytest.raises(Refused, match="tacho sessions"):
        documents.resolve("zzz")


def test_a_story_is_told_in_order_without_its_chunks(documents: Documents) -> None:
    """Order of the wire; chunks repeat what the closing record says."""
    kinds = [source["unmapped"]["tacho"]["type"] for source in documents.story(SESSION)]
    assert kinds == ["session.open", "request", "response", "request"]


def test_a_gateways_own_session_is_told_without_its_heartbeats(documents: Documents) -> None:
    """There are thousands a day, and all say the same to a person."""
    assert list(documents.story(GATEWAY)) == []


def test_heartbeats_are_found_by_the_session_that_they_name(documents: Documents) -> None:
    """The newest first, also where no record of the session says which strands it has."""
    beats, latest, _ = heartbeats_wanted(documents, SESSION).groups
    assert [item.uid.rpartition("-")[2] for item in beats] == ["1", "0"]
    assert latest == beats


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("charged twice", 1),
        ("charged", 2),
        ("http_response.code:>=400", 1),
        ("read_file", 1),
        ("unmapped.tacho.tool:read_file AND unmapped.tacho.type:request", 1),
        ("nothing-like-it", 0),
    ],
)
def test_search_reads_full_text_and_fields(documents: Documents, query: str, count: int) -> None:
    """Bare words look into texts and names, fields can be given."""
    assert documents.search(query, 10)[0] == count


def test_a_query_that_cannot_be_read_is_wrong_use(documents: Documents) -> None:
    """The message says how to write one."""
    with pytest.raises(WrongUse, match="query string syntax"):
        documents.search("time:[", 10)


def test_an_index_that_is_not_there_is_empty(stack: Endpoints) -> None:
    """Nothing was recorded yet: no error."""
    cluster = Cluster(OpenSearch(url=stack.opensearch_url), base=Path())
    nothing = Documents(cluster, index_prefix=f"cli-{secrets.token_hex(4)}", url="x")
    assert nothing.sessions(5) == []
    assert nothing.search("x", 5) == (0, [])
    cluster.close()


def test_a_cluster_that_does_not_answer_is_a_part_that_is_down() -> None:
    """With what to do."""
    cluster = Cluster(OpenSearch(url="http://127.0.0.1:9"), base=Path())
    with pytest.raises(PartDown, match="tacho doctor"):
        Documents(cluster, index_prefix="cli", url="http://127.0.0.1:9").sessions(1)
    cluster.close()


class BusyCluster:
    """One that answers after so many times of 503."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.calls = refusals, 0

    def call(self, *_: object, **__: object) -> bytes:
        self.calls += 1
        if self.calls <= self.refusals:
            raise Busy("OpenSearch answered 503")
        return b'{"hits": {"total": {"value": 7}, "hits": []}}'


def test_a_cluster_that_is_busy_is_asked_again_within_a_bound() -> None:
    """A new day's index refuses questions until its first shard is there; nobody should hear of it."""
    now = [0.0]

    def documents(cluster: BusyCluster) -> Documents:
        told: Any = cluster
        return Documents(
            told,
            index_prefix="x",
            url="x",
            clock=lambda: now[0],
            sleep=lambda s: now.__setitem__(0, now[0] + s),
        )

    assert documents(BusyCluster(3)).search("x", 5) == (7, [])
    never = BusyCluster(10**6)
    with pytest.raises(PartDown, match="503"):
        documents(never).search("x", 5)
    assert never.calls == pytest.approx(BUSY_SECONDS / AGAIN_SECONDS, abs=10)
