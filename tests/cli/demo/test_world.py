"""The demo's world: fresh each time, never somebody else's folder."""

import json
from pathlib import Path
from random import Random

import pytest

from tachograph.cli import settings
from tachograph.cli.demo.plant import plant
from tachograph.cli.demo.world import CREDENTIAL_VARIABLE, SERVERS, make
from tachograph.cli.errors import Refused

NOW = "2026-01-01T00:00:00Z"
PLANTED = plant(Random(1))


def test_the_configuration_knows_the_example_servers(tmp_path: Path) -> None:
    """One connection each, on ports of its own; the model's credential comes from the environment."""
    world = make(tmp_path / "demo", PLANTED, now=NOW)
    told = settings.load(world.config).configuration
    assert tuple(item.name for item in told.connections) == SERVERS
    urls = {item.upstream for item in told.connections} | {told.opensearch.url, world.ingress}
    assert len(urls) == len(SERVERS) + 2
    credential = told.connections[0].credential
    assert credential is not None
    assert credential.source.env == CREDENTIAL_VARIABLE
    assert settings.load(world.config).home == world.home


def test_the_agent_knows_base_urls_and_one_key(tmp_path: Path) -> None:
    """Nothing else of ours is in its environment."""
    world = make(tmp_path / "demo", PLANTED, now=NOW)
    command, environment = world.agent("sdk")
    assert command[-1] == "tachograph.examples.agent"
    assert environment["ANTHROPIC_API_KEY"] == world.key.text
    assert environment["ANTHROPIC_BASE_URL"] == f"{world.ingress}/c/model"
    assert world.agent("claude")[0][-1] == "tachograph.examples.agent.claude"


def test_the_facts_are_private_and_complete(tmp_path: Path) -> None:
    """Only the example world reads them."""
    world = make(tmp_path / "demo", PLANTED, now=NOW)
    file = world.props / "facts.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == {item.name: item.text for item in PLANTED}


def test_an_earlier_demo_is_wiped(tmp_path: Path) -> None:
    """Its data, its links, its keys."""
    home = tmp_path / "demo"
    first = make(home, PLANTED, now=NOW)
    (home / "data").mkdir()
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (home / "link").symlink_to(kept)
    second = make(home, PLANTED, now=NOW)
    assert first.key.text != second.key.text
    assert not (home / "data").exists()
    assert (kept / "file").exists()


def test_a_foreign_folder_is_never_wiped(tmp_path: Path) -> None:
    """It is refused, and stays as it is."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Refused, match="not a folder of the demo"):
        make(tmp_path, PLANTED, now=NOW)
    assert (tmp_path / "thesis.txt").exists()


def test_the_key_is_not_shown(tmp_path: Path) -> None:
    """`repr` shows the folder."""
    world = make(tmp_path / "demo", PLANTED, now=NOW)
    assert world.key.text not in repr(world)
