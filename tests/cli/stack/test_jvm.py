"""jvm.py: small, bounded, and no dump of what is in memory."""

from pathlib import Path

from tachograph.cli.stack import jvm
from tachograph.cli.stack.places import Places

PLACES = Places(Path("/java"), Path("/run"), Path("/data"), Path("/logs"))


def test_memory_is_bounded() -> None:
    """Heap and direct memory have a limit."""
    flags = jvm.java(PLACES, 512)
    assert flags[0] == "/java"
    assert {"-Xmx512m", "-XX:MaxDirectMemorySize=256m", "-Djava.io.tmpdir=/run/tmp"} <= set(flags)


def test_no_heap_is_ever_dumped() -> None:
    """A heap dump would hold payloads; running out of memory ends the engine instead."""
    flags = jvm.java(PLACES, 512)
    assert "-XX:+ExitOnOutOfMemoryError" in flags
    assert not any("HeapDump" in flag for flag in flags)


def test_logs_are_bounded() -> None:
    """Files roll at a size, and a fixed number of them is kept."""
    text = jvm.log4j2(Path("/logs/kafka.log"), {"kafka": "warn"})
    lines = dict(line.split(" = ", 1) for line in text.splitlines())
    assert lines["appender.file.policies.size.size"] == "10MB"
    assert lines["appender.file.strategy.max"] == "2"
    assert lines["logger.l0.level"] == "warn"


def test_a_class_path_is_one_argument() -> None:
    """In the given order."""
    assert jvm.class_path([Path("/a.jar"), Path("/b.jar")]) == ["-cp", "/a.jar:/b.jar"]
