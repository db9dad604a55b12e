"""Whom a deployment believes by default: itself, by the key files that it has."""

from __future__ import annotations

import os
from pathlib import Path

from tachograph.cli.evidence.trusted import own_policy, signing
from tachograph.cli.home import make_home
from tachograph.cli.settings import load
from tachograph.forensics.verify.policy import TrustPolicy


def test_it_is_a_policy_of_the_keys_that_are_there(tmp_path: Path) -> None:
    """Without a key for heartbeats none are asked for; who never deletes trusts nobody with it."""
    told = load(make_home(tmp_path / "home", randomness=os.urandom, now="2026-01-01T00:00:00Z").file)
    keys = told.configuration.keys
    whole = TrustPolicy.model_validate(own_policy(told))
    assert len(whole.logs) == told.configuration.kafka.partitions
    assert whole.gateways is not None
    name = whole.gateways[0].parsed.name
    assert whole.gateways[0].key == str(signing(name, told.base / keys.signing_file).key)
    for file in (keys.signing_file, keys.deletion_file):
        (told.base / file).unlink(missing_ok=True)
    less = TrustPolicy.model_validate(own_policy(told))
    assert (less.gateways, less.deletions) == (None, ())
