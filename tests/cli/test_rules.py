"""`tacho rules` lists, explains and tests the rules, and says what is wrong with a bad file."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from tachograph.cli.errors import WrongUse
from tachograph.cli.rules import app, failures
from tachograph.processors.masking.ruleset import parse

RUN = CliRunner()


def test_the_own_rules_pass() -> None:
    """Every example found, every counter-example left."""
    result = RUN.invoke(app, ["test", "--json"])
    assert result.exit_code == 0
    assert orjson.loads(result.stdout)["failures"] == []


def test_a_rule_that_fails_is_named() -> None:
    """A missed example and a found counter-example."""
    bad = parse("[[rules]]\nid='a'\nregex='x'\nexamples=['y']\ncounterexamples=['x']", "a.toml")
    assert [(f.rule, f.why) for f in failures(bad)] == [
        ("a", "example 1 is not found"),
        ("a", "counter-example 1 is found"),
    ]


def test_list_names_what_cannot_be_used(tmp_path: Path) -> None:
    """Nothing is skipped silently."""
    file = tmp_path / "a.toml"
    file.write_text("[[rules]]\nid='only-path'\npath='x'\n")
    document = orjson.loads(RUN.invoke(app, ["list", "--json", "--rules", str(file)]).stdout)
    assert document["refused"] == [
        {"id": "only-path", "reason": "it matches file paths only; a wire record has none"}
    ]
    assert len(document["digest"]) == 64
    assert "rules, digest" in RUN.invoke(app, ["list"]).stdout


def test_explain_shows_one_rule() -> None:
    """With generated examples."""
    facts = orjson.loads(RUN.invoke(app, ["explain", "github-token", "--json"]).stdout)
    assert facts["examples"][0].startswith("ghp_")
    assert "regex" in RUN.invoke(app, ["explain", "github-token"]).stdout
    assert RUN.invoke(app, ["explain", "nope"]).exit_code == 2


def test_a_bad_file_is_wrong_use(tmp_path: Path) -> None:
    """File, line and rule, exit code 2."""
    file = tmp_path / "bad.toml"
    file.write_text("[[rules]]\nid='a'\nregex='('\n")
    result = RUN.invoke(app, ["test", "--rules", str(file)])
    assert result.exit_code == 2
    assert "bad.toml:2: rule 'a': regex" in result.stderr


@pytest.mark.parametrize("since", ["", "h", "24", "-3h", "3w"])
def test_a_window_that_is_none_is_wrong_use(since: str) -> None:
    """Said before anything is read."""
    done = RUN.invoke(app, ["backtest", f"--since={since}"])
    assert isinstance(done.exception, WrongUse)
