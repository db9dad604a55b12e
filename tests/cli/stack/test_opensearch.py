"""opensearch.py: a node on loopback, its home folder made by hand."""

from pathlib import Path

import pytest
import yaml

from tachograph.cli.stack import opensearch
from tachograph.cli.stack.places import Places
from tachograph.cli.stack.versions import MODULE_CLASSES, OPENSEARCH


def places(folder: Path) -> Places:
    found = Places(Path("/java"), folder / "run", folder / "data", folder / "logs")
    found.config.mkdir(parents=True)
    for module in MODULE_CLASSES:
        (found.run / "modules" / module).mkdir(parents=True)
    return found


def test_the_node_listens_on_loopback_only(tmp_path: Path) -> None:
    """For its clients and for its transport."""
    found = yaml.safe_load(opensearch.settings(places(tmp_path), 9200, 9300))
    assert found["network.host"] == "127.0.0.1"
    assert (found["http.port"], found["transport.port"]) == (9200, 9300)
    assert found["discovery.type"] == "single-node"


@pytest.mark.parametrize("module", MODULE_CLASSES)
def test_a_descriptor_names_version_and_class(module: str) -> None:
    """OpenSearch refuses a module of another version."""
    found = dict(line.split("=", 1) for line in opensearch.descriptor(module).splitlines())
    assert found["version"] == found["opensearch.version"] == OPENSEARCH
    assert found["classname"] == MODULE_CLASSES[module]
    assert found["name"] == module


def test_the_home_folder_is_complete(tmp_path: Path) -> None:
    """Every folder it insists on, a configuration, and one descriptor a module."""
    where = places(tmp_path)
    opensearch.write_config(where, 1, 2)
    opensearch.write_config(where, 1, 2)  # a second start
    assert {"bin", "config", "extensions", "modules", "plugins"} == {
        path.name for path in where.run.iterdir()
    }
    assert len(list(where.run.glob("modules/*/plugin-descriptor.properties"))) == len(MODULE_CLASSES)
    assert str(where.logs) in (where.config / "log4j2.properties").read_text()


def test_the_command_names_the_home_folder(tmp_path: Path) -> None:
    """Home and configuration are the ones that were written."""
    where = places(tmp_path)
    command = opensearch.run_command(where, [Path("/a.jar")], 256)
    assert f"-Dopensearch.path.home={where.run}" in command.arguments
    assert f"-Dopensearch.path.conf={where.config}" in command.arguments
    assert command.arguments[-1] == "org.opensearch.bootstrap.OpenSearch"
