"""How the engines' Java is run: small and quick to start rather than quick at its peak."""

from pathlib import Path

from tachograph.cli.stack.places import Places


def java(places: Places, heap_mb: int) -> list[str]:
    """The Java program with the flags both engines share."""
    return [
        str(places.java),
        "-Xms64m",
        f"-Xmx{heap_mb}m",
        f"-XX:MaxDirectMemorySize={max(64, heap_mb // 2)}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",  # no file in /tmp shared with other users
        "-XX:+ExitOnOutOfMemoryError",  # a death is seen and told; never a heap dump, it would hold payloads
        "-Djava.awt.headless=true",
        "-Dfile.encoding=UTF-8",
        f"-Djava.io.tmpdir={places.tmp}",
        "-Dlog4j2.disable.jmx=true",
        "-Dlog4j2.formatMsgNoLookups=true",
    ]


def class_path(jars: list[Path]) -> list[str]:
    return ["-cp", ":".join(map(str, jars))]


def log4j2(log: Path, quiet: dict[str, str]) -> str:
    """A log4j2.properties: everything from INFO up, but for `quiet`, to a file of at most 3 times 10 MB."""
    lines = [
        "status = error",
        "appender.file.type = RollingFile",
        "appender.file.name = file",
        f"appender.file.fileName = {log}",
        f"appender.file.filePattern = {log}.%i",
        "appender.file.layout.type = PatternLayout",
        "appender.file.layout.pattern = [%d{ISO8601}] [%p] [%c{1.}] %m%n",
        "appender.file.policies.type = Policies",
        "appender.file.policies.size.type = SizeBasedTriggeringPolicy",
        "appender.file.policies.size.size = 10MB",
        "appender.file.strategy.type = DefaultRolloverStrategy",
        "appender.file.strategy.max = 2",
        "rootLogger.level = info",
        "rootLogger.appenderRef.file.ref = file",
    ]
    for number, (logger, level) in enumerate(quiet.items()):
        lines += [f"logger.l{number}.name = {logger}", f"logger.l{number}.level = {level}"]
    return "\n".join(lines) + "\n"
