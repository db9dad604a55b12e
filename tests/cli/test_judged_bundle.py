"""A bundle is judged before it is used; the exit codes are those of `tacho verify`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tachograph.cli.errors import BadEvidence, WrongUse
from tachograph.cli.judged_bundle import judged_bundle
from tachograph.forensics.bundle.archive import MAX_BUNDLE_BYTES

VECTORS = Path(__file__).parents[1] / "evidence" / "vectors"
EXPECTED = json.loads((VECTORS / "expected.json").read_text())


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    """The policy of most vectors."""
    file = tmp_path / "trust.json"
    file.write_text(json.dumps(EXPECTED["good"]["policy"]))
    return file


@pytest.mark.parametrize("name", ["good", "reorder"])
def test_what_can_be_opened_comes_with_its_verdict(name: str, trust: Path) -> None:
    """Good or bad: what to do about it is the command's."""
    judged = judged_bundle(VECTORS / f"{name}.tacho", trust)
    assert judged.report.verdict.word == EXPECTED[name]["verdict"]
    assert judged.opened.session == judged.report.session


def test_what_cannot_be_opened_has_a_verdict_too(trust: Path, tmp_path: Path) -> None:
    """No bundle, too large, by nobody who is trusted, by a key that is revoked."""
    nobody, revoked = tmp_path / "nobody.yaml", tmp_path / "revoked.json"
    nobody.write_text("version: 1\nlogs: []\nexporters: []\n")
    policy = EXPECTED["good"]["policy"]
    exporters = [item | {"revoked": True} for item in policy["exporters"]]
    revoked.write_text(json.dumps(policy | {"exporters": exporters}))
    (tmp_path / "odd").write_bytes(b"PK no bundle")
    with (tmp_path / "big").open("wb") as file:
        file.truncate(MAX_BUNDLE_BYTES + 1)
    good = VECTORS / "good.tacho"
    for bundle, by, code in (
        (tmp_path / "odd", trust, 10),
        (tmp_path / "big", trust, 11),
        (good, nobody, 13),
        (good, revoked, 21),
    ):
        with pytest.raises(BadEvidence, match="`tacho verify` says more") as refused:
            judged_bundle(bundle, by)
        assert refused.value.exit_code == code


def test_nothing_is_opened_without_a_policy() -> None:
    """Anybody could have written what is in it."""
    with pytest.raises(WrongUse, match="--trust"):
        judged_bundle(VECTORS / "good.tacho", None)
