"""The key of statements."""

import os
from pathlib import Path

import yaml
from deletion_world import run

from tachograph.cli.evidence.deletion_key import deletion_signer
from tachograph.cli.home import make_home
from tachograph.cli.settings import load


def test_a_new_home_has_it_and_trust_names_it(tmp_path: Path) -> None:
    """Under the deployment's own name; a home without the file trusts nobody to delete."""
    made = make_home(tmp_path / "home", randomness=os.urandom, now="2026-01-01T00:00:00Z")
    told = load(made.file)
    signer = deletion_signer(told)
    assert signer.key.name == "tachograph/tacho/deletion"
    policy = yaml.safe_load(run("trust", "--config", made.file).stdout)
    assert policy["deletions"] == [{"key": str(signer.key)}]
    (told.base / told.configuration.keys.deletion_file).unlink()
    assert yaml.safe_load(run("trust", "--config", made.file).stdout)["deletions"] == []
