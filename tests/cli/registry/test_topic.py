"""Releases on the real Kafka."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from tachograph.cli.errors import PartDown, Refused
from tachograph.cli.registry import topic as module
from tachograph.cli.registry.topic import ControlTopic, Word
from tachograph.cli.settings import Settings
from tachograph.schemas.config import Configuration
from tachograph.schemas.control import ControlBook
from tachograph.schemas.registry import Registry
from tachograph.schemas.topics import topic_specs
from tachograph.sinks.topic_admin import TopicAdmin


@pytest.fixture
def told(stack: Any, tmp_path: Path) -> Iterator[Settings]:
    key = tmp_path / "keys" / "control"
    key.parent.mkdir()
    key.touch(mode=0o600)
    key.write_bytes(base64.b64encode(secrets.token_bytes(32)))
    kafka = {"bootstrap_servers": stack.bootstrap_servers, "topic_prefix": f"apply-{secrets.token_hex(4)}"}
    config = Configuration.model_validate({"kafka": kafka, "registry": {"source": "topic"}})
    settings, topics = {"bootstrap.servers": stack.bootstrap_servers}, config.kafka.topics
    specs = topic_specs(topics, partitions=1, raw_retention_hours=1, masked_retention_hours=1)
    names = [topics.control, topics.releases]
    TopicAdmin(settings).create(*(spec for spec in specs if spec.name in names))
    yield Settings(tmp_path / "tacho.yaml", config, tmp_path)
    admin = AdminClient(settings)  # it must outlive what it is asked
    for gone in admin.delete_topics(names).values():
        gone.result(60)


def test_releases_count_up_and_read_back(told: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An expectation that does not hold is refused; the same comes back as a new version.

    Releases stay, and the snapshots of old ones go.
    """
    monkeypatch.setattr(module, "KEPT_VERSIONS", 2)
    control, one, two = ControlTopic(told), Registry(contact="one"), Registry(contact="two")
    assert control.release(one, Word("me", "why", expect=0)).version == 1
    with pytest.raises(Refused, match="expected version 0"):
        control.release(two, Word("me", expect=0))
    assert control.release(two, Word("me")).version == 2
    again = control.release(two, Word("me"))
    book = control.read()
    assert book.current == again
    assert (sorted(book.releases), book.whole, book.lost) == ([1, 2, 3], True, None)
    assert book.snapshot(one.digest) is None
    assert book.snapshot(two.digest) == two.canonical()


def test_a_release_that_kafka_shows_later_is_waited_for(
    told: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction is seen a moment after its commit; one that is never seen is said within a bound."""
    control, read = ControlTopic(told), ControlTopic.read
    control.release(Registry(contact="one"), Word("me"))
    before, late = control.read(), [3]

    def lagging(self: ControlTopic) -> ControlBook:
        late[0] -= 1
        return before if late[0] >= 0 else read(self)

    monkeypatch.setattr(ControlTopic, "read", lagging)
    assert control.release(Registry(contact="two"), Word("me")).version == 2
    before, late = read(control), [10**6]
    monkeypatch.setattr(module, "SHOWN_SECONDS", 0.0)
    with pytest.raises(PartDown, match="version 3 was written"):
        control.release(Registry(contact="three"), Word("me"))


def test_a_topic_that_is_not_there_is_said(told: Settings) -> None:
    """With what to do."""
    kafka = told.configuration.kafka.model_copy(update={"topic_prefix": "nobody-made-this"})
    other = Settings(told.file, told.configuration.model_copy(update={"kafka": kafka}), told.home)
    with pytest.raises(PartDown, match="tacho provision"):
        ControlTopic(other).read()
