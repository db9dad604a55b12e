"""The demo's own world: a fresh folder, free ports, example servers, a configuration for them, an agent."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tachograph.cli.api_keys import ApiKeys, Scope
from tachograph.cli.demo.plant import Planted, facts
from tachograph.cli.errors import Refused
from tachograph.cli.home import make_key_files
from tachograph.cli.settings import CONFIG_NAME, HOME_MARK
from tachograph.cli.stack import ports
from tachograph.cli.supervisor import Part

__all__ = ["CREDENTIAL_VARIABLE", "POLICY", "SERVERS", "World", "make"]

SERVERS = ("model", "mcp", "http")
"""Example servers by the names of their connections."""
CREDENTIAL_VARIABLE = "TACHO_DEMO_MODEL_KEY"
POLICY = Path(__file__).with_name("policy.cedar")
"""What the agent may do; a copy lies beside the demo's configuration."""
_MODULES = {"model": "model_server", "mcp": "mcp_server", "http": "http_api"}
_PROTOCOLS = {"model": "llm", "mcp": "mcp", "http": "http"}
_MARK = "demo\n"
"""What the home folder's mark holds where the folder is the demo's and may be wiped."""


@dataclass(frozen=True, slots=True)
class World:
    """Where everything of one demo lies. `repr` shows the folder only."""

    home: Path
    config: Path
    ingress: str
    key: Planted
    servers: tuple[Part, ...]

    def __repr__(self) -> str:
        return f"World(home={str(self.home)!r})"

    @property
    def props(self) -> Path:
        """What belongs to the example world and not to Tachograph: its facts, its logs."""
        return self.home / "world"

    @property
    def witness(self) -> Path:
        return self.props / "exchanges.jsonl"

    def agent(self, kind: str) -> tuple[list[str], dict[str, str]]:
        """Command and environment of the agent: three base URLs and one key."""
        module = "tachograph.examples.agent" + (".claude" if kind == "claude" else "")
        return [sys.executable, "-m", module], {
            **os.environ,
            "EXAMPLE_FACTS": str(self.props / "facts.json"),
            "ANTHROPIC_BASE_URL": f"{self.ingress}/c/model",
            "ANTHROPIC_API_KEY": self.key.text,
            "TOOLS_URL": f"{self.ingress}/c/mcp/mcp",
            "DESK_URL": f"{self.ingress}/c/http",
            "NO_PROXY": "127.0.0.1",
        }


def make(home: Path, planted: Sequence[Planted], *, now: str, console: bool = False) -> World:
    """Wipe what an earlier demo left in `home`, lay out a new world; raises Refused for a foreign folder.

    `console` says whether reviewers get pages of their own.
    """
    _wipe(home)
    taken: set[int] = set()
    chosen = {
        name: ports.choose(0, taken) for name in (*SERVERS, "ingress", "kafka", "opensearch", "console")
    }
    urls = {name: f"http://{ports.LOOPBACK}:{port}" for name, port in chosen.items()}
    make_key_files(home / "keys", randomness=os.urandom)
    made = ApiKeys(home / "keys" / "api-keys.yaml").create(
        "demo-agent", randomness=os.urandom, now=now, scope=Scope(groups=("agents",))
    )
    shutil.copy(POLICY, home / POLICY.name)
    config = home / CONFIG_NAME
    told = _configuration(chosen, urls)
    if console:
        told["console"] = {"listen": {"host": ports.LOOPBACK, "port": chosen["console"]}}
    config.write_text(yaml.safe_dump(told, sort_keys=False))
    world = World(
        home=home,
        config=config,
        ingress=urls["ingress"],
        key=Planted(
            "gateway_key", "the agent's own, pasted into a note", made.text, (made.text.split("_", 2)[2],)
        ),
        servers=tuple(_server(name, chosen[name], home / "world") for name in SERVERS),
    )
    world.props.mkdir()
    _private(world.props / "facts.json", json.dumps(facts(planted)))
    return world


def _wipe(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    mark = home / HOME_MARK
    if any(home.iterdir()) and not (mark.exists() and mark.read_text() == _MARK):
        raise Refused(
            f"{home} is not a folder of the demo: remove it yourself, or set TACHO_HOME to another one"
        )
    for path in home.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != mark:
            path.unlink()
    mark.write_text(_MARK)


def _configuration(chosen: dict[str, int], urls: dict[str, str]) -> dict[str, object]:
    connections = [
        {
            "name": name,
            "protocol": _PROTOCOLS[name],
            "upstream": urls[name],
            "labels": {"environment": "demo"},
        }
        for name in SERVERS
    ]
    connections[0]["credential"] = {
        "type": "header",
        "name": "x-api-key",
        "source": {"env": CREDENTIAL_VARIABLE},
    }
    return {
        "version": 1,
        "stack": {"managed": True},
        "kafka": {"bootstrap_servers": f"{ports.LOOPBACK}:{chosen['kafka']}"},
        "opensearch": {"url": urls["opensearch"]},
        "ingress": {"listen": {"host": ports.LOOPBACK, "port": chosen["ingress"]}},
        "connections": connections,
        "policy": {"files": [POLICY.name], "contact": "the people who run this demo"},
    }


def _server(name: str, port: int, props: Path) -> Part:
    module = f"tachograph.examples.{_MODULES[name]}"
    command = (sys.executable, "-m", module, "--port", str(port), "--log", str(props / "exchanges.jsonl"))
    return Part(name, command, {"EXAMPLE_FACTS": str(props / "facts.json")})


def _private(path: Path, text: str) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w") as file:
        file.write(text)
