"""What differs between two registries."""

from __future__ import annotations

from typing import Any

from tachograph.cli.registry.changes import changes
from tachograph.schemas.registry import Registry

API = {"name": "api", "protocol": "http", "upstream": "http://x"}
POLICY = {"file": "p.cedar", "text": "one\ntwo\n"}


def registry(**fields: Any) -> Registry:
    return Registry.model_validate(fields)


def test_each_difference_is_told_by_its_name() -> None:
    """Connections, policies, masking and the contact; added, removed and changed, line by line."""
    before = registry(connections=[API], policies=[POLICY], masking={"headers": ["x-a"]})
    after = registry(
        connections=[{**API, "upstream": "http://y"}, {**API, "name": "new"}],
        masking={"headers": ["x-a", "x-b"], "rules": [{"file": "r.toml", "text": "# r"}]},
        contact="team",
    )
    found = {change.what: change for change in changes(before, after)}
    assert {what: change.action for what, change in found.items()} == {
        "connection api": "changed",
        "connection new": "added",
        "masking headers": "changed",
        "masking rules, in order": "added",
        "masking rules r.toml": "added",
        "contact": "added",
        "policy p.cedar": "removed",
    }
    assert "-upstream: http://x" in found["connection api"].lines
    assert "+upstream: http://y" in found["connection api"].lines
    assert not changes(after, after)
