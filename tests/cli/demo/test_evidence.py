"""Reading everything that is kept."""

import secrets
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tachograph.cli.demo.evidence import Message, files, read_topic
from tachograph.cli.errors import PartDown
from tachograph.cli.stack.config import Endpoints
from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin


def test_files_are_read_wherever_they_lie(tmp_path: Path) -> None:
    """Through links to folders too; the broker's own indices are left out."""
    far = tmp_path / "far"
    far.mkdir()
    (far / "segment.log").write_bytes(b"far")
    near = tmp_path / "near"
    (near / "deep").mkdir(parents=True)
    (near / "deep" / "a.log").write_bytes(b"near")
    (near / "deep" / "a.index").write_bytes(b"index")
    (near / "link").symlink_to(far)
    assert sorted(data for _, data in files(near)) == [b"far", b"near"]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """A spool may never have been needed."""
    assert list(files(tmp_path / "missing")) == []


def test_a_message_shows_its_size_only() -> None:
    """Values may be anything."""
    assert "private" not in repr(Message(b"k", b"private", (("uid", b"1"),)))
    assert Message(b"k", b"v", (("uid", b"1"),)).header("uid") == "1"
    assert Message(b"k", b"v", (("uid", b"1"),)).everything == b"k\nv\n1"


@pytest.mark.engines
def test_a_topic_is_read_from_end_to_end(stack: Endpoints) -> None:
    """Every partition, keys and headers included."""
    topic = f"cli-evidence-{secrets.token_hex(4)}"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    TopicAdmin({"bootstrap.servers": stack.bootstrap_servers}).create(TopicSpec(topic, 3))
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
    for number in range(9):
        producer.produce(
            topic, key=f"k{number}", value=b"v", headers=[("uid", f"u{number}")], partition=number % 3
        )
    assert producer.flush(30) == 0
    found = read_topic(stack.bootstrap_servers, topic)
    assert {message.header("uid") for message in found} == {f"u{number}" for number in range(9)}
    admin.delete_topics([topic])[topic].result(30)


def test_a_broker_that_is_not_there_is_a_part_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the bound."""
    monkeypatch.setattr("tachograph.cli.demo.evidence.READ_SECONDS", 0.5)
    with pytest.raises(PartDown, match="cannot be read"):
        read_topic("127.0.0.1:9", "topic")
