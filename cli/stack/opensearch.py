"""OpenSearch as one node on loopback, from its jars alone: the distribution's home folder made by hand."""

from pathlib import Path
from typing import Final

from tachograph.cli.stack.child import Command
from tachograph.cli.stack.jvm import class_path, java, log4j2
from tachograph.cli.stack.places import Places
from tachograph.cli.stack.versions import MODULE_CLASSES, OPENSEARCH

_LOG: Final = "opensearch.log"


def settings(places: Places, port: int, transport_port: int) -> str:
    """The text of opensearch.yml."""
    values = {
        "cluster.name": "tachograph",
        "node.name": "local",
        "path.data": places.data,
        "path.logs": places.logs,
        "network.host": "127.0.0.1",
        "http.port": port,
        "transport.port": transport_port,
        "discovery.type": "single-node",
        "bootstrap.system_call_filter": "false",  # needs a seccomp that containers often deny
        # The start checks the disk; a node that turns read-only in the middle of a demo helps nobody.
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }
    return "".join(f"{key}: {value}\n" for key, value in values.items())


def descriptor(module: str) -> str:
    """The text of a module's plugin-descriptor.properties."""
    values = {
        "name": module,
        "description": module,
        "version": OPENSEARCH,
        "opensearch.version": OPENSEARCH,
        "java.version": 21,
        "classname": MODULE_CLASSES[module],
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def write_config(places: Places, port: int, transport_port: int) -> None:
    """Write the node's configuration and its modules' descriptors."""
    (places.config / "opensearch.yml").write_text(settings(places, port, transport_port))
    (places.config / "log4j2.properties").write_text(
        log4j2(places.logs / _LOG, {"org.opensearch.deprecation": "error"})
    )
    for folder in ("bin", "plugins", "extensions"):  # empty, but it insists on them and may not make them
        (places.run / folder).mkdir(exist_ok=True)
    for module in MODULE_CLASSES:
        (places.run / "modules" / module / "plugin-descriptor.properties").write_text(descriptor(module))


def run_command(places: Places, jars: list[Path], heap_mb: int) -> Command:
    """Run the node until SIGTERM."""
    arguments = [
        *java(places, heap_mb),
        "-Xss1m",
        "-Djna.nosys=true",
        f"-Djna.tmpdir={places.tmp}",
        "-Dio.netty.noUnsafe=true",
        "-Dio.netty.noKeySetOptimization=true",
        "-Dio.netty.recycler.maxCapacityPerThread=0",
        "-Dlog4j.shutdownHookEnabled=false",
        "--enable-native-access=ALL-UNNAMED",
        f"-Dopensearch.path.home={places.run}",
        f"-Dopensearch.path.conf={places.config}",
        "-Dopensearch.distribution.type=tar",
        *class_path(jars),
        "org.opensearch.bootstrap.OpenSearch",
    ]
    return Command("opensearch", arguments, places.run, places.logs / "console.log", places.logs / _LOG)
