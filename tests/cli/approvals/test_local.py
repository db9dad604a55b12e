"""Approvals from this machine, on the real topic and with the real document store."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from confluent_kafka.admin import AdminClient

from tachograph.approvals.pen import Pen
from tachograph.cli.approvals.local import LocalDesk, operator
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.home import make_key_files
from tachograph.cli.settings import Settings, load
from tachograph.ingress.keyfile import read_key
from tachograph.schemas.approval import ApprovalKey, Need, Requested
from tachograph.schemas.event import Principal, PrincipalKind, Protocol
from tachograph.schemas.topics import topic_specs
from tachograph.sinks.client import Cluster
from tachograph.sinks.topic_admin import TopicAdmin

pytestmark = pytest.mark.engines

SECONDS = 60.0


@pytest.fixture
def told(stack: Any, tmp_path: Path) -> Iterator[Settings]:
    """A configuration with a topic and an index of its own."""
    name = f"approve-{uuid.uuid4().hex[:10]}"
    make_key_files(tmp_path / "keys", randomness=os.urandom)
    value = {
        "kafka": {"bootstrap_servers": stack.bootstrap_servers, "topic_prefix": name},
        "opensearch": {"url": stack.opensearch_url, "index_prefix": name},
    }
    (tmp_path / "tacho.yaml").write_text(yaml.safe_dump(value))
    settings = load(tmp_path / "tacho.yaml")
    kafka = settings.configuration.kafka
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    specs = topic_specs(kafka.topics, partitions=1, raw_retention_hours=1, masked_retention_hours=1)
    (spec,) = (spec for spec in specs if spec.name == kafka.topics.approvals)
    TopicAdmin({"bootstrap.servers": kafka.bootstrap_servers}).create(spec)
    yield settings
    admin.delete_topics([spec.name])[spec.name].result(timeout=SECONDS)
    cluster = Cluster(settings.configuration.opensearch, base=tmp_path)
    cluster.call("DELETE", f"/{name}-events-2026.11.23", params={"ignore_unavailable": "true"})
    cluster.close()


@pytest.fixture
def ask(told: Settings) -> Iterator[Any]:
    """Ask as the ingress does; the masked document comes with it unless told otherwise."""
    config = told.configuration
    cluster = Cluster(config.opensearch, base=told.base)
    index = f"{config.opensearch.index_prefix}-events-2026.11.23"
    mappings = {"properties": {"metadata": {"properties": {"uid": {"type": "keyword"}}}}}
    cluster.put(f"/{index}", {"mappings": mappings})
    pen = Pen(
        topic=config.kafka.topics.approvals,
        key=ApprovalKey(read_key(told.base / config.keys.approvals_file)),
        settings={"bootstrap.servers": config.kafka.bootstrap_servers},
        give_up_seconds=SECONDS,
    )

    def make(*, masked: bool = True, requester: str = "bot") -> str:
        uid = uuid.uuid4()
        if masked:
            document = orjson.dumps({"unmapped": {"tacho": {"type": "request", "body": "[EMAIL:1]"}}})
            cluster.call("PUT", f"/{index}/_doc/{uid}", document, params={"refresh": "true"})
        ids: dict[str, Any] = dict.fromkeys(("approval", "exchange", "session", "record", "instance"), uid)
        digests: dict[str, Any] = dict.fromkeys(("request_digest", "scope_digest", "policy_digest"), "a" * 64)
        pen.write(
            Requested(
                **ids,
                **digests,
                at=time.time_ns() // 1_000_000,
                connection="files",
                protocol=Protocol.HTTP,
                requester=Principal(id=requester, kind=PrincipalKind.API_KEY),
                needs=(Need(group="ops"),),
                wait_seconds=600,
            )
        )
        assert pen._producer.flush(SECONDS) == 0  # `close` would wait for a moment only
        return str(uid)

    yield make
    cluster.close()


@pytest.fixture
def desk(told: Settings) -> Iterator[Any]:
    made: list[LocalDesk] = []

    def open_one(name: str = "ruth", *groups: str) -> LocalDesk:
        made.append(LocalDesk(told, operator(name, groups or ("ops",))))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


def test_approved_from_here_counts_and_says_local(ask: Any, desk: Any) -> None:
    """Pending with its masked content, approved, recorded as signed with the key; a second word is void."""
    uid = ask()
    ruth = desk()
    (view,) = ruth.pending()
    assert view["document"]["unmapped"]["tacho"]["body"] == "[EMAIL:1]"
    after = ruth.decide(view, "approve", comment="fine", minutes=5)
    assert after["state"] == "approved"
    (said,) = after["decisions"]
    assert (said["reviewer"]["id"], said["via"], said["comment"], said["void"]) == (
        "ruth",
        "local",
        "fine",
        None,
    )
    with pytest.raises(Refused, match="the approval has ended"):
        desk("olaf").decide(view, "deny", comment="", minutes=0)
    (grant,) = ruth.grants()
    assert grant["approval"] == uid
    ruth.revoke(uid[:8])
    assert ruth.grants() == []


@pytest.mark.parametrize(
    ("name", "group", "why"),
    [("bot", "ops", "the reviewer is who asked"), ("ruth", "dba", "none of the groups")],
)
def test_the_key_does_not_make_everything_right(ask: Any, desk: Any, name: str, group: str, why: str) -> None:
    """Four eyes and groups hold for the operator at the command line as for everybody."""
    ask()
    one = desk(name, group)
    (view,) = one.pending()
    with pytest.raises(Refused, match=why):
        one.decide(view, "approve", comment="", minutes=0)
    assert [each["id"] for each in one.pending()] == [view["id"]]


def test_unseen_is_not_approved(ask: Any, desk: Any) -> None:
    """Without the masked document an approval is void, a denial is not."""
    uid = ask(masked=False)
    one = desk()
    view = one.find(uid[:6])
    assert view["shown"] is None
    with pytest.raises(Refused, match="without the masked document"):
        one.decide(view, "approve", comment="", minutes=0)
    assert one.decide(view, "deny", comment="", minutes=0)["state"] == "denied"


def test_an_id_must_say_enough(ask: Any, desk: Any) -> None:
    """What begins no approval, or several, is refused."""
    ask()
    one = desk()
    one.pending()
    with pytest.raises(Refused, match="no approval"):
        one.find("nonesuch")


@pytest.mark.parametrize(
    ("name", "group"), [("", "ops"), ("z\x1b", "ops"), ("n" * 257, "ops"), ("z", ""), ("z", " ops")]
)
def test_a_name_that_is_none_is_wrong_use(name: str, group: str) -> None:
    """It would stand on the record for good."""
    with pytest.raises(WrongUse, match="printable"):
        operator(name, [group])
