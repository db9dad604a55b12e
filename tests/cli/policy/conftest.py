"""A folder with a configuration, policies and cases, and the command run in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tachograph.cli.main import app

CONFIG = """
connections:
  - {name: crm, protocol: http, upstream: "http://crm.internal", labels: {env: prod}}
  - {name: model, protocol: llm, upstream: "https://api.anthropic.com"}
  - {name: files, protocol: mcp, upstream: "http://files.internal/mcp"}
policy: {files: [policies.cedar]}
"""
POLICIES = """
@id("read") @reason("Reading is free")
permit(principal in Group::"agents", action == Action::"http.request", resource)
when { context.method == "GET" };

@id("no-admin") @reason("Administration is for people")
forbid(principal, action == Action::"http.request", resource) when { context.path_folded like "/admin*" };

@id("ls") permit(principal, action == Action::"mcp.call", resource) when { context.tool == "ls" };

@id("rm") @approval("ops") @reason("Deleting is final")
permit(principal, action == Action::"mcp.call", resource)
when { context.tool == "rm" && context.arguments has path && context.arguments.path like "/tmp/*" };
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`tacho.yaml` and `policies.cedar`."""
    (tmp_path / "tacho.yaml").write_text(CONFIG)
    (tmp_path / "policies.cedar").write_text(POLICIES)
    return tmp_path


@pytest.fixture
def tacho(folder: Path) -> Callable[..., Result]:
    """`tacho policy ...` with that configuration."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["policy", *arguments, "--config", str(folder / "tacho.yaml")])

    return run
