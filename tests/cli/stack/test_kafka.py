"""kafka.py: a broker on loopback that creates no topic by itself."""

import base64
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.cli.stack import kafka
from tachograph.cli.stack.places import Places


def settings() -> dict[str, str]:
    text = kafka.server_properties(Path("/data"), 9092, 9093)
    return dict(line.split("=", 1) for line in text.splitlines())


def places(folder: Path) -> Places:
    found = Places(Path("/java"), folder / "run", folder / "data", folder / "logs")
    for path in (found.config, found.data):
        path.mkdir(parents=True)
    return found


def test_every_listener_is_on_loopback() -> None:
    """Nothing listens on another address."""
    listeners = settings()["listeners"].split(",")
    assert listeners == ["PLAINTEXT://127.0.0.1:9092", "CONTROLLER://127.0.0.1:9093"]
    assert settings()["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"


def test_topics_are_created_on_purpose_only() -> None:
    """A misspelt topic is an error, not a new topic without retention."""
    assert settings()["auto.create.topics.enable"] == "false"


def test_records_up_to_two_mebibytes_fit() -> None:
    """Accepted from producers, and fetched again."""
    assert settings()["message.max.bytes"] == settings()["replica.fetch.max.bytes"] == str(2 * 1024 * 1024)


def test_one_node_is_enough_for_every_internal_topic() -> None:
    """Each replication factor and each minimum of replicas in sync is 1."""
    counts = {
        key: value for key, value in settings().items() if key.endswith((".factor", ".isr", ".replicas"))
    }
    assert len(counts) == 7
    assert set(counts.values()) == {"1"}


@given(st.binary(min_size=16, max_size=16))
@example(b"\xf8" + bytes(15))
def test_a_cluster_id_is_kafkas_text_of_16_bytes(random: bytes) -> None:
    """22 characters, decodable to 16 bytes, never read as an option."""
    text = kafka.cluster_id(random)
    assert len(text) == 22
    assert not text.startswith("-")
    assert len(base64.urlsafe_b64decode(f"{text}==")) == 16


def test_a_folder_is_formatted_once(tmp_path: Path) -> None:
    """Kafka's own mark tells."""
    where = places(tmp_path)
    assert not kafka.is_formatted(where)
    (where.data / "meta.properties").touch()
    assert kafka.is_formatted(where)


def test_the_commands_name_the_files_that_were_written(tmp_path: Path) -> None:
    """Format and run read the same settings and the same logging configuration."""
    where = places(tmp_path)
    kafka.write_config(where, 1, 2)
    for command in (kafka.format_command(where, [Path("/a.jar")], "id"), kafka.run_command(where, [], 256)):
        assert command.engine == "kafka"
        assert command.arguments[-1] == str(where.config / "server.properties")
        assert f"-Dlog4j2.configurationFile={where.config / 'log4j2.properties'}" in command.arguments
    assert "listeners=PLAINTEXT://127.0.0.1:1," in (where.config / "server.properties").read_text()
    assert str(where.logs / "kafka.log") in (where.config / "log4j2.properties").read_text()
