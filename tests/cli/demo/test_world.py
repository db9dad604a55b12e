"""The demo's world: fresh each time, never somebody else's folder."""

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from tachograph.cli import settings
from tachograph.cli.api_keys import ApiKeys
from tachograph.cli.demo.decisions import HELD, UNPERMITTED
from tachograph.cli.demo.plant import plant
from tachograph.cli.demo.world import CREDENTIAL_VARIABLE, POLICY, SERVERS, make
from tachograph.cli.errors import Refused
from tachograph.cli.policy.cases import read_cases, run_cases
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies

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


@pytest.mark.parametrize(
    ("connection", "asked", "effect", "policy"),
    [
        *(("mcp", {"tool": tool}, "approval", None) for tool in HELD),
        ("mcp", {"tool": UNPERMITTED}, "deny", None),
        ("mcp", {"tool": "lookup_order"}, "allow", "tools-daily"),
        ("mcp", {"rpc_method": "tools/list"}, "allow", "tools-talk"),
        ("http", {"path": "/tickets/42"}, "allow", "desk-read"),
        ("http", {"method": "POST", "path": "/login"}, "allow", "desk-write"),
        ("http", {"method": "DELETE", "path": "/tickets/42"}, "deny", None),
        ("model", {"method": "HEAD", "path": "/"}, "allow", "model-probes"),
    ],
)
def test_the_policy_says_what_the_demo_says_about_it(
    tmp_path: Path, connection: str, asked: dict[str, Any], effect: str, policy: str | None
) -> None:
    """Its daily work is permitted, harm needs people, and of the rest nothing is permitted."""
    told = settings.load(make(tmp_path / "demo", PLANTED, now=NOW).config).configuration
    connections = {item.name: item for item in told.connections}
    judge = CedarJudge(read_policies([PolicyFile(POLICY.name, POLICY.read_text())]), told.connections)
    case = {"connection": connection, "groups": ["agents"], "expect": effect, "policy": policy} | asked
    cases = read_cases(yaml.safe_dump({"cases": [case]}), file="cases")
    (result,) = run_cases(cases, judge, connections, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert result.good, list(result.difference())


def test_the_policy_lies_where_a_person_can_read_and_change_it(tmp_path: Path) -> None:
    """Beside the configuration that names it; the agent's key is in the group that it speaks of."""
    world = make(tmp_path / "demo", PLANTED, now=NOW)
    told = settings.load(world.config)
    assert [(told.base / file).read_text() for file in told.configuration.policy.files] == [
        POLICY.read_text()
    ]
    (key,) = ApiKeys(world.home / "keys" / "api-keys.yaml").entries()
    assert key.groups == ("agents",)


def test_reviewers_get_pages_where_somebody_is_there(tmp_path: Path) -> None:
    """On a port of its own; a demo that nobody watches starts no console."""
    for console in (True, False):
        made = make(tmp_path / "demo", PLANTED, now=NOW, console=console)
        assert (settings.load(made.config).configuration.console is not None) is console


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
