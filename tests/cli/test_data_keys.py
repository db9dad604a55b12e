"""`tacho keys rewrap` on a real keys topic; `shred` is tested with the deletions, in tests/cli/evidence."""

from __future__ import annotations

import base64
import json
import signal
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from typer.testing import CliRunner, Result

from tachograph.cli import data_keys
from tachograph.cli.errors import Interrupted, PartDown, Refused
from tachograph.cli.main import app
from tachograph.cli.stack.engines import Endpoints
from tachograph.forensics import key_topic
from tachograph.forensics.errors import LogUnreachable
from tachograph.forensics.key_topic import KeyTopic
from tachograph.schemas.key_ring import KeyRing
from tachograph.schemas.keys import KeyEncryptionKey, WrappedKey

OLD, NEW = b"o" * 32, b"n" * 32


def home(folder: Path, bootstrap: str, prefix: str, previous: list[str]) -> Path:
    for name, key in (("old", OLD), ("new", NEW)):
        (folder / name).touch(0o600)
        (folder / name).write_text(base64.b64encode(key).decode())
    file = folder / "tacho.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "kafka": {"bootstrap_servers": bootstrap, "topic_prefix": prefix},
                "keys": {"kek_file": "new", "kek_previous": previous},
            }
        )
    )
    return file


def rewrap(file: Path) -> Result:
    return CliRunner().invoke(app, ["keys", "rewrap", "--json", "--config", str(file)])


@pytest.mark.engines
def test_every_data_key_goes_under_the_new_key(stack: Endpoints, tmp_path: Path) -> None:
    """What is shredded stays so, a second run writes nothing, and a missing previous key is said."""
    prefix = f"rewrap-{uuid.uuid4().hex[:12]}"
    client, name = {"bootstrap.servers": stack.bootstrap_servers}, f"{prefix}.keys"
    admin = AdminClient(client)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    old, producer = KeyEncryptionKey(OLD), Producer(client)
    topic = KeyTopic(client, name)
    try:
        for strand in ("a", "b", "gone"):
            producer.produce(name, old.wrap(strand, b"d" * 32).encode(), strand)
        producer.produce(name, None, "gone")
        assert producer.flush(30) == 0
        alone = rewrap(home(tmp_path, stack.bootstrap_servers, prefix, []))
        assert isinstance(alone.exception, Refused)
        assert json.loads(alone.stdout)["unknown"] == 2
        file = home(tmp_path, stack.bootstrap_servers, prefix, ["old"])
        for count in (2, 0):
            done = json.loads(rewrap(file).stdout)
            assert (done["rewrapped"], done["current"], done["unknown"]) == (count, 2, 0)
        there = dict(topic.read())
        assert {WrappedKey.decode(value).kek for value in there.values() if value} == {
            KeyEncryptionKey(NEW).id
        }
        assert there[b"gone"] is None
    finally:
        topic.close()
        admin.delete_topics([name])[name].result(30)


def test_gateways_that_still_use_the_old_key_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not run for ever after them."""

    class Growing(KeyTopic):
        def __init__(self, *_: object) -> None:
            self.number = 0

        def close(self) -> None: ...
        def write(self, _: object) -> None: ...
        def read(self) -> list[tuple[bytes, bytes | None]]:
            self.number += 1
            name = f"{self.number}"
            return [(name.encode(), KeyEncryptionKey(OLD).wrap(name, b"d" * 32).encode())]

    monkeypatch.setattr(key_topic, "KeyTopic", Growing)
    done = rewrap(home(tmp_path, "127.0.0.1:1", "none", ["old"]))
    assert isinstance(done.exception, PartDown)
    assert "restart every gateway" in str(done.exception)


class Shredding(KeyTopic):
    """A topic in memory: `a` is shredded between the first reading and its writing, which ends badly."""

    def __init__(self, fail: Callable[[], None], *, gone: bool = False) -> None:
        self.messages: list[tuple[bytes, bytes | None]] = [
            (b"a", KeyEncryptionKey(OLD).wrap("a", b"d" * 32).encode())
        ]
        self.fail, self.gone, self.writes = fail, gone, 0

    def close(self) -> None: ...

    def read(self) -> list[tuple[bytes, bytes | None]]:
        if self.writes and self.gone:
            raise LogUnreachable("keys: no answer")
        return list(self.messages)

    def write(self, values: Mapping[bytes, bytes | None]) -> None:
        self.writes += 1
        if self.writes == 1:
            self.messages.append((b"a", None))
        self.messages.extend(values.items())
        if self.writes == 1:
            self.fail()


def unreachable() -> None:
    raise LogUnreachable("keys: Kafka did not acknowledge")


@pytest.mark.parametrize(
    ("fail", "end"),
    [
        (lambda: None, type(None)),
        (lambda: signal.raise_signal(signal.SIGINT), Interrupted),
        (lambda: signal.raise_signal(signal.SIGTERM), Interrupted),
        (unreachable, LogUnreachable),
    ],
    ids=["well", "Ctrl-C", "SIGTERM", "Kafka"],
)
def test_what_was_shredded_meanwhile_is_gone_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None], end: type
) -> None:
    """One run: the value that came behind the tombstone has another one behind it."""
    topic = Shredding(fail)
    monkeypatch.setattr(key_topic, "KeyTopic", lambda *_: topic)
    done = rewrap(home(tmp_path, "127.0.0.1:1", "none", ["old"]))
    assert isinstance(done.exception, end)
    assert [value is None for _, value in topic.messages] == [False, True, False, True]


def test_the_last_pass_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where gateways go on under the old key, what was shredded during the last writing is not left."""
    topic = Shredding(lambda: None)
    monkeypatch.setattr(data_keys, "PASSES", 1)
    monkeypatch.setattr(key_topic, "KeyTopic", lambda *_: topic)
    with pytest.raises(PartDown):
        data_keys._rewrapped(topic, KeyRing(KeyEncryptionKey(NEW), [KeyEncryptionKey(OLD)]), set())
    assert topic.messages[-1] == (b"a", None)


def test_what_cannot_be_read_again_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it may mean, and what to do."""
    monkeypatch.setattr(key_topic, "KeyTopic", lambda *_: Shredding(unreachable, gone=True))
    done = rewrap(home(tmp_path, "127.0.0.1:1", "none", ["old"]))
    assert isinstance(done.exception, PartDown)
    assert "may be back: run the same command again" in str(done.exception)
