"""A record is masked by the registry that it names."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tachograph.processors import registries
from tachograph.processors.maskers import MaskerWorks
from tachograph.processors.pipeline import RulesMissing
from tachograph.processors.registries import MAX_COMPILED, ControlReader, Registries
from tachograph.schemas.config import Configuration
from tachograph.schemas.control import ControlBook, ControlKey
from tachograph.schemas.registry import Registry, short

KEY = ControlKey(b"k" * 32)
SECONDS = 20.0
BAD = "[[rules]]\nid = 'x'\nregex = '('\n"


class Topic:
    """What the reader has read so far."""

    def __init__(self) -> None:
        self.book = ControlBook(KEY)

    def put(self, **fields: Any) -> str:
        registry = Registry.model_validate(fields)
        self.book.put(registry.digest, KEY.seal(registry.digest, registry.canonical()))
        return short(registry.digest)

    def named(self, registry: Any) -> bytes | None:
        return self.book.named(registry)

    def ask(self) -> Any:
        return lambda: True


@pytest.fixture
def works(tmp_path: Path) -> MaskerWorks:
    return MaskerWorks(Configuration(), base=tmp_path, pseudonym_key=b"p" * 32)


async def test_each_registry_masks_by_its_own_rules(works: MaskerWorks) -> None:
    """Names of fields, of all connections and of one; the same rules have the same digest, always."""
    topic = Topic()
    connection = {
        "name": "api",
        "protocol": "http",
        "upstream": "http://x",
        "masking": {"headers": ["x-one"]},
    }
    plain, fields = topic.put(), topic.put(connections=[connection], masking={"json_keys": ["pin"]})
    made = Registries(topic, works.of)  # type: ignore[arg-type]
    for registry in (plain, fields, None):
        await made.settle(registry)
    assert made.masker("api", None) is None
    digests = [made.masker(*of).digest for of in ((None, plain), ("api", fields), (None, fields))]  # type: ignore[union-attr]
    assert digests[0] == works.own()(None).digest
    assert digests[0] != digests[1] == digests[2]


async def test_a_registry_that_comes_late_is_waited_for(works: MaskerWorks) -> None:
    """And one that does not come is not waited for twice; when it comes after all, it is there."""
    topic = Topic()
    late = short(Registry.model_validate({"contact": "late"}).digest)
    made = Registries(topic, works.of)  # type: ignore[arg-type]
    timer = threading.Timer(0.2, lambda: topic.put(contact="late"))
    timer.start()
    await made.settle(late)
    timer.join()
    assert made.masker(None, late) is not None


async def test_what_the_topic_does_not_have_is_withheld(
    works: MaskerWorks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a reason that has a name; and so are rules that cannot be used."""
    monkeypatch.setattr(registries, "WAIT_S", 0.1)
    topic = Topic()
    made = Registries(topic, works.of)  # type: ignore[arg-type]
    unknown, bad = "0" * 16, topic.put(masking={"rules": [{"file": "r.toml", "text": BAD}]})
    for registry, reason in ((unknown, "registry-unknown"), (bad, "registry-unusable")):
        await made.settle(registry)
        with pytest.raises(RulesMissing, match=reason):
            made.masker(None, registry)


async def test_compiled_registries_are_bounded(works: MaskerWorks) -> None:
    """The one that was not used for longest goes, and is made again when it is named."""
    topic = Topic()
    made = Registries(topic, works.of)  # type: ignore[arg-type]
    names = [topic.put(contact=str(number)) for number in range(MAX_COMPILED + 1)]
    for name in names:
        await made.settle(name)
    with pytest.raises(RulesMissing):
        made.masker(None, names[0])
    await made.settle(names[0])
    assert made.masker(None, names[0]) is not None


@pytest.fixture
def topic(stack: Any) -> Iterator[str]:
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    name = f"registries-{secrets.token_hex(4)}"
    admin.create_topics([NewTopic(name, 1)])[name].result(SECONDS)
    yield name
    admin.delete_topics([name])[name].result(SECONDS)


async def test_the_reader_has_what_is_signed_and_nothing_else(stack: Any, topic: str) -> None:
    """From the real Kafka, to its end."""
    settings = {"bootstrap.servers": stack.bootstrap_servers}
    registry = Registry()
    producer = Producer(settings)
    for key in (ControlKey(b"x" * 32), KEY):
        producer.produce(topic, key=registry.digest, value=key.seal(registry.digest, registry.canonical()))
    assert producer.flush(SECONDS) == 0
    reader = ControlReader(settings, topic, ControlBook(KEY))
    reader.start()
    try:
        assert reader._caught_up.wait(SECONDS)
        assert reader.ready
        looked, deadline = reader.ask(), time.monotonic() + SECONDS
        while not looked():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert reader.named(short(registry.digest)) == registry.canonical()
    finally:
        reader.stop()
