"""What is started, and whose engines they are."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tachograph.cli import run_state, settings
from tachograph.cli.assembly import PARTS, Assembly, part, stack_config
from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.home import make_home
from tachograph.cli.settings import Settings
from tachograph.cli.stack.processes import identify
from tachograph.schemas.console_settings import Console


@pytest.fixture
def told(tmp_path: Path) -> Settings:
    return settings.load(make_home(tmp_path, randomness=os.urandom, now="2026-01-01T00:00:00Z").file)


def test_managed_engines_get_the_ports_of_the_configuration(told: Settings) -> None:
    """Kafka and OpenSearch where the file says, their inner ports wherever there is room."""
    config = stack_config(told)
    assert (config.kafka_port, config.opensearch_port) == (9092, 9200)
    assert (config.controller_port, config.transport_port) == (0, 0)
    assert config.home == told.home


@pytest.mark.parametrize(
    "change",
    [
        {"kafka": {"bootstrap_servers": "kafka.example.com:9092"}},
        {"opensearch": {"url": "https://127.0.0.1:9200"}},
        {"opensearch": {"url": "http://search.example.com:9200"}},
    ],
)
def test_managed_engines_are_on_loopback(told: Settings, change: dict[str, dict[str, str]]) -> None:
    """A configuration that asks for both is refused with the way out."""
    value = told.configuration.model_dump()
    for section, keys in change.items():
        value[section] |= keys
    other = replace(told, configuration=type(told.configuration).model_validate(value))
    with pytest.raises(WrongUse, match="for your own set it to false"):
        stack_config(other)


def test_a_part_is_the_command_of_its_name() -> None:
    """What production runs is what `tacho up` runs."""
    assert tuple(part("sink", Path("/c.yaml")).arguments[-3:]) == ("sink", "--config", "/c.yaml")
    assert PARTS[0] == "ingress"


def test_one_home_runs_once(told: Settings) -> None:
    """A second start is refused before anything of it begins, and leaves the first one's state alone."""
    me = identify(os.getpid())
    assert me is not None
    run_state.write(told.home, run_state.RunState(me, "now", {}, ()))
    assembly = Assembly(told, managed=False, say=lambda _: None)
    with pytest.raises(Refused, match="already runs"):
        assembly.start()
    assembly.stop()
    assert run_state.read(told.home) is not None


def test_the_canary_runs_beside_the_parts(told: Settings) -> None:
    """Unless the configuration switches it off."""
    parts = Assembly(told, managed=False, say=print).supervisor.parts
    assert list(parts) == [*PARTS, "canary"]
    quiet = told.configuration.model_copy(
        update={"canary": told.configuration.canary.model_copy(update={"enabled": False})}
    )
    assert list(Assembly(replace(told, configuration=quiet), managed=False, say=print).supervisor.parts) == [
        *PARTS
    ]


def test_the_console_runs_where_it_is_configured(told: Settings) -> None:
    """And nowhere else: it needs people to be known first."""
    asked = told.configuration.model_copy(update={"console": Console()})
    parts = Assembly(replace(told, configuration=asked), managed=False, say=print).supervisor.parts
    assert list(parts) == [*PARTS, "canary", "console"]
