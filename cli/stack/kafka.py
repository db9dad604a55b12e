"""Apache Kafka as one process: broker and controller in KRaft mode, on loopback only."""

import base64
from pathlib import Path
from typing import Final

from tachograph.cli.stack.child import Command
from tachograph.cli.stack.jvm import class_path, java, log4j2
from tachograph.cli.stack.places import Places

MESSAGE_MAX_BYTES: Final = 2 * 1024 * 1024
_FORMAT_HEAP_MB: Final = 128


def server_properties(data: Path, port: int, controller_port: int) -> str:
    """The broker's settings, one `key=value` a line."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",  # `tacho provision` creates topics with explicit retention
        "message.max.bytes": MESSAGE_MAX_BYTES,
        "replica.fetch.max.bytes": MESSAGE_MAX_BYTES,
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 4,
        # 128 MB of heap by default, for a key count that one machine's topics never reach.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        # A broker that was killed may come back only when its old session has run out (9 s by default).
        "broker.session.timeout.ms": 6000,
        "broker.heartbeat.interval.ms": 1000,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def cluster_id(random: bytes) -> str:
    """Kafka's text form of 16 random bytes."""
    text = base64.urlsafe_b64encode(random).decode("ascii").rstrip("=")
    # The format command would read a leading dash as an option.
    return f"_{text[1:]}" if text.startswith("-") else text


def write_config(places: Places, port: int, controller_port: int) -> None:
    """Write what `format_command` and `run_command` name."""
    _properties(places).write_text(server_properties(places.data, port, controller_port))
    _log4j2(places).write_text(
        log4j2(places.logs / "kafka.log", {"org.apache.kafka": "warn", "kafka": "info"})
    )


def is_formatted(places: Places) -> bool:
    return (places.data / "meta.properties").exists()


def format_command(places: Places, jars: list[Path], cluster: str) -> Command:
    """Make an empty data folder a cluster's; ends by itself."""
    tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(_properties(places))]
    return _command(places, [*java(places, _FORMAT_HEAP_MB), *_logging(places), *class_path(jars), *tool])


def run_command(places: Places, jars: list[Path], heap_mb: int) -> Command:
    """Run the broker until SIGTERM."""
    main = ["kafka.Kafka", str(_properties(places))]
    return _command(places, [*java(places, heap_mb), *_logging(places), *class_path(jars), *main])


def _command(places: Places, arguments: list[str]) -> Command:
    return Command("kafka", arguments, places.run, places.logs / "console.log", places.logs / "kafka.log")


def _logging(places: Places) -> list[str]:
    return [f"-Dlog4j2.configurationFile={_log4j2(places)}"]


def _properties(places: Places) -> Path:
    return places.config / "server.properties"


def _log4j2(places: Places) -> Path:
    return places.config / "log4j2.properties"
