"""The example policies, and those of the guide, say what their cases expect."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tachograph.cli.main import app
from tachograph.cli.policy.advice import warnings
from tachograph.cli.policy.cases import read_cases, run_cases
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.schemas.connection import Connection

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "policies"
GUIDE = (ROOT / "docs" / "policy.md").read_text()
CONNECTIONS = {
    "crm": Connection(name="crm", protocol="http", upstream="http://crm", labels={"env": "prod"}),
    "bank": Connection(name="bank", protocol="mcp", upstream="http://bank"),
    "model": Connection(name="model", protocol="llm", upstream="http://model"),
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("command", [("check",), ("test", str(EXAMPLE / "cases.yaml"))])
def test_the_example(command: tuple[str, ...]) -> None:
    """As a user would run it."""
    done = CliRunner().invoke(app, ["policy", *command, "--config", str(EXAMPLE / "tacho.yaml")])
    assert done.exit_code == 0, done.output
    assert "warning" not in done.output


def test_the_guides_policies_and_cases() -> None:
    """All its policies are one good set; the cases come out as it says, but for its example from outside."""
    policies = read_policies([PolicyFile("docs/policy.md", "\n".join(blocks("cedar")))])
    assert not warnings(policies, CONNECTIONS.values())
    (table,) = [block for block in blocks("yaml") if "cases:" in block]
    inside = [
        case.model_copy(update={"source": "10.0.0.1"}) for case in read_cases(table, file="docs/policy.md")
    ]
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    results = run_cases(inside, CedarJudge(policies, CONNECTIONS.values()), CONNECTIONS, now=now)
    assert [list(result.difference()) for result in results if not result.good] == []


def test_the_guide_names_every_action_and_attribute() -> None:
    """What a policy can read, it can look up."""
    from tachograph.ingress.policy.cedar_schema import CONTEXT, RESERVED_ACTIONS

    for name in {*CONTEXT, *RESERVED_ACTIONS, *(name for names in CONTEXT.values() for name in names)}:
        assert f"`{name}`" in GUIDE, name
