"""One removed value proven by two holders, from the gateway to a proof that anybody can check."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tachograph.cli.errors import CliError, WrongUse
from tachograph.cli.main import app
from tachograph.forensics.errors import ForensicsError
from tachograph.schemas.errors import SealBroken

pytestmark = pytest.mark.engines

SECRET = "Zq9Pfoo77-escrowed-4711"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


def good(*arguments: str | Path) -> Result:
    done = run(*arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def test_two_holders_prove_one_value(
    stack: Any, open_site: Callable[..., AbstractContextManager[Any]], tmp_path: Path
) -> None:
    """It stands nowhere in clear, opens with both shares alone, is recorded, and proves itself offline."""
    one, other, stranger = (tmp_path / name for name in ("one.key", "other.key", "stranger.key"))
    public = [good("escrow", "keygen", "-o", file).stdout.strip() for file in (one, other, stranger)]
    assert [file.stat().st_mode & 0o777 for file in (one, other)] == [0o600, 0o600]
    (tmp_path / "other.pub").write_text(public[1])
    settings = {
        "escrow": {"keys": [public[0], "other.pub"]},
        "sealing": {"checkpoint_leaves": 1, "checkpoint_seconds": 600},
    }
    with open_site(tmp_path, stack, settings) as site:
        site.ask("/c/api/escrow", body=json.dumps({"password": SECRET}).encode())
        tacho = site.told("/escrow")[0]["unmapped"]["tacho"]
        topics, config = site.config.kafka.topics, ("--config", tmp_path / "tacho.yaml")
        for name in (topics.escrow, topics.masked):
            assert not any(SECRET.encode() in value for value in site.topic(name))
        kinds = [item["type"] for item in tacho["removed"]]
        uid, index = tacho["uid"], str(kinds.index("PASSWORD"))
        files = [tmp_path / name for name in ("share", "value", "proof", "again")]
        share, value, proof, again = files

        good("escrow", "open", uid, index, "--key", one, "-o", share, *config)
        both = ("--share", share, "--share-of", other)
        _refusals(uid, index, share, one, other, stranger, again, config)
        good("reveal", uid, index, *both, "--output", value, "--proof", proof, *config)
        assert value.read_text() == SECRET
        assert [file.stat().st_mode & 0o777 for file in (share, value, proof)] == [0o600] * 3

        said = [json.loads(item) for item in site.topic(topics.masked) if b'"type":"access"' in item]
        accesses = [item["unmapped"]["tacho"]["access"] for item in said]
        assert [item["action"] for item in accesses] == ["reveal", "reveal"]
        assert sorted(f"value {index} of {uid}" in item["how"] for item in accesses) == [True, True]
        assert not any(SECRET in json.dumps(item) for item in said)
        _anybody(tacho["session"], proof, config)


def _refusals(
    uid: str, index: str, share: Path, one: Path, other: Path, stranger: Path, out: Path, config: Any
) -> None:
    """One holder twice, one alone, a stranger, another value's share, another document: nothing is shown."""
    for holders, error in (
        ((share, "--share-of", one), SealBroken),
        ((share,), WrongUse),
        ((share, "--share-of", stranger), SealBroken),
    ):
        done = run("reveal", uid, index, "--share", *holders, "--output", out, *config)
        assert isinstance(done.exception, error), done.exception
    for name, place in ((uid, str(int(index) + 1)), (str(uuid.uuid4()), index)):
        done = run("reveal", name, place, "--share", share, "--share-of", other, "--output", out, *config)
        assert isinstance(done.exception, CliError | SealBroken)
    assert not out.exists()


def _anybody(session: str, proof: Path, config: Any) -> None:
    """With the bundle, the policy and the proof alone."""
    bundle, trust, bad = (proof.with_name(name) for name in ("session.tacho", "trust.yaml", "bad"))
    trust.write_text(good("trust", *config).stdout)
    good("export", session, "-o", bundle, *config)
    checked = run("reveal", "--check", proof, "--bundle", bundle, "--trust", trust)
    verified = run("verify", bundle, "--trust", trust)
    assert "Proven" in checked.output
    assert SECRET not in checked.output
    assert checked.exit_code == verified.exit_code
    told = json.loads(proof.read_text())
    bad.write_text(json.dumps(told | {"salt": "0" * 64}))
    refused = run("reveal", "--check", bad, "--bundle", bundle, "--trust", trust)
    assert isinstance(refused.exception, ForensicsError)
