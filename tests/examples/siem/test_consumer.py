"""The SIEM's consumer reads every event once it is there, in its own group, and goes on where it was."""

import json
import subprocess
import sys
import uuid

import pytest
from confluent_kafka import Producer

from tachograph.cli.stack.engines import Endpoints
from tachograph.examples.siem.__main__ import main, parser
from tachograph.examples.siem.consumer import parse, settings
from tachograph.schemas.topics import TopicSpec
from tachograph.sinks.topic_admin import TopicAdmin

WAIT = 60.0


@pytest.mark.parametrize("value", [None, b"", b"null", b"[]", b"{", b"\xff", b"7"])
def test_what_is_no_event_is_none(value: bytes | None) -> None:
    """Tombstones and garbage are passed over."""
    assert parse(value) is None
    assert parse(b'{"class_uid":6003}') == {"class_uid": 6003}


def test_the_operator_s_settings_win() -> None:
    """TLS and SASL pass through; offsets are stored by us."""
    found = settings("k:9092", "g", {"security.protocol": "SSL"})
    assert (found["group.id"], found["security.protocol"]) == ("g", "SSL")
    assert found["enable.auto.offset.store"] is False


def test_wrong_use_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A setting without a value is told, not passed on."""
    assert main(["--client", "nonsense"]) == 2
    assert "KEY=VALUE" in capsys.readouterr().err
    assert parser().parse_args([]).topic == "tacho.masked"


@pytest.mark.engines
def test_a_siem_reads_the_topic_and_goes_on_where_it_was(stack: Endpoints) -> None:
    """Three events, two of them read, then the third by the next run; another group reads all of them."""
    topic = f"siem-{uuid.uuid4().hex[:8]}.masked"
    TopicAdmin({"bootstrap.servers": stack.bootstrap_servers}).create(TopicSpec(topic, 1))
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
    events = [json.dumps({"class_uid": 6003, "message": f"event {index}"}) for index in range(3)]
    for event in events:
        producer.produce(topic, event.encode(), key=b"session")
    assert producer.flush(WAIT) == 0

    def read(group: str, count: int) -> list[str]:
        command = [sys.executable, "-m", "tachograph.examples.siem", "--json", "--topic", topic]
        command += ["--bootstrap", stack.bootstrap_servers, "--group", group, "--count", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=True)
        return done.stdout.splitlines()

    assert read("one", 2) == events[:2]
    assert read("one", 1) == events[2:]
    assert read("another", 3) == events
