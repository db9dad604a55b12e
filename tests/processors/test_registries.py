"""A record is masked by the registry that it names."""

from __future__ import annotations

import asyncio
import base64
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tachograph.processors import registries
from tachograph.processors.maskers import MaskerWorks
from tachograph.processors.pipeline import RulesMissing
from tachograph.processors.registries import MAX_COMPILED, ControlReader, Registries, follows, own_name
from tachograph.schemas.config import Configuration
from tachograph.schemas.control import ControlBook, ControlKey
from tachograph.schemas.registry import Registry, registry_of, short
from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

KEY = ControlKey(b"k" * 32)
SECONDS = 60.0
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


async def test_the_files_own_registry_needs_no_topic(works: MaskerWorks) -> None:
    """An ingress that read the same files names it from its start on, also while Kafka is away."""
    own, digest = works.own(), short(registry_of(Configuration(), {}).digest)
    made = Registries(Topic(), works.of, (digest, own))  # type: ignore[arg-type]
    await made.settle(digest)
    assert made.masker("api", digest) is own("api")


def test_the_name_of_what_the_file_registers(tmp_path: Path) -> None:
    """As the ingress names it; none where a file that counts is not here, or cannot be read as text."""
    config = Configuration.model_validate(
        {"policy": {"files": ["p.cedar"]}, "masking": {"rules": ["r.toml"]}}
    )
    (tmp_path / "p.cedar").write_text("one")
    assert own_name(config, base=tmp_path) is None
    (tmp_path / "r.toml").write_text("two")
    whole = registry_of(config, {"p.cedar": "one", "r.toml": "two"})
    assert own_name(config, base=tmp_path) == short(whole.digest)
    (tmp_path / "p.cedar").write_bytes(b"\xff")
    assert own_name(config, base=tmp_path) is None


def test_registries_are_looked_up_where_there_is_a_control_key(tmp_path: Path) -> None:
    """It is what the ingress signs snapshots with; a processor that follows the topic needs it anyhow."""
    assert not follows(Configuration(), base=tmp_path)
    assert follows(Configuration.model_validate({"registry": {"source": "topic"}}), base=tmp_path)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "control").touch()
    assert follows(Configuration(), base=tmp_path)


def told(messages: list[Any]) -> dict[str, set[bytes]]:
    """Every content that a uid was told with."""
    contents: dict[str, set[bytes]] = {}
    for message in messages:
        contents.setdefault(dict(message.headers())["uid"].decode(), set()).add(message.value())
    return contents


def apply(site: Any, fields: Mapping[str, Any]) -> str:
    """A snapshot as whoever applies writes it; how headers name it."""
    registry = Registry.model_validate(fields)
    site.producer.produce(
        site.topics.control, KEY.seal(registry.digest, registry.canonical()), registry.digest
    )
    assert site.producer.flush(SECONDS) == 0
    return short(registry.digest)


@pytest.mark.engines
def test_a_second_group_over_an_apply_gives_the_same_bytes(site: Any) -> None:
    """The first group sees the rules change while it runs; the second sees both from its start."""
    key = site.home / "keys" / "control"
    key.touch(mode=0o600)
    key.write_bytes(base64.b64encode(b"k" * 32))
    strand = site.strand()
    site.publish_key(strand)
    body = orjson.dumps({"grove": "walnut-north", "river": "walnut-south"})
    records: dict[str, list[Any]] = {}

    def exchanges(name: str) -> None:
        strand.registry = apply(site, {"contact": name, "masking": {"json_keys": [name]}})
        records[name] = [one for _ in range(5) for one in strand.exchange(body, body)]
        site.publish(records[name])

    def done(names: set[str]) -> set[str]:
        return {str(one.header.uid) for name in names for one in records[name]}

    exchanges("grove")
    first = site.start()
    site.read(site.topics.masked, lambda got: set(told(got)) >= done({"grove"}))
    exchanges("river")
    once = site.read(site.topics.masked, lambda got: set(told(got)) >= done({"grove", "river"}))
    assert site.kill(first, signal.SIGTERM) == 0
    site.start(group="second")
    both = site.read(site.topics.masked, lambda got: len(got) >= 2 * len(once))
    assert {uid: len(contents) for uid, contents in told(both).items()} == dict.fromkeys(told(once), 1)
    for name, hidden, plain in (
        ("grove", b"walnut-north", b"walnut-south"),
        ("river", b"walnut-south", b"walnut-north"),
    ):
        texts = [
            content for uid, contents in told(both).items() if uid in done({name}) for content in contents
        ]
        assert not any(hidden in text for text in texts)
        assert all(plain in text for text in texts)


@pytest.fixture
def topic(stack: Any) -> Iterator[str]:
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    name = f"registries-{secrets.token_hex(4)}"
    TopicAdmin({"bootstrap.servers": stack.bootstrap_servers}).create(TopicSpec(name, 1))
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
