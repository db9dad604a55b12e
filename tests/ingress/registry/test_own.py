"""What the configuration file registers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tachograph.ingress.errors import PoliciesUnusable, RegistryUnusable
from tachograph.ingress.registry.own import check_policies_stay, own_digest, own_registry
from tachograph.schemas.config import Configuration
from tachograph.schemas.registry import Registry, TextFile


def config(**fields: object) -> Configuration:
    return Configuration.model_validate(fields)


def test_policies_and_rules_come_in_as_texts(tmp_path: Path) -> None:
    """And all of it has a digest."""
    (tmp_path / "p.cedar").write_text("one")
    (tmp_path / "r.toml").write_text("two")
    registry, whole = own_registry(
        config(policy={"files": ["p.cedar"]}, masking={"rules": ["r.toml"]}), base=tmp_path
    )
    assert (registry.policies[0].text, registry.masking.rules[0].text) == ("one", "two")
    assert own_digest(registry, whole=whole) == registry.digest


def test_what_is_not_whole_has_no_name(tmp_path: Path) -> None:
    """A digest over rules that are not there would be of another registry."""
    registry, whole = own_registry(config(masking={"rules": ["r.toml"]}), base=tmp_path)
    assert own_digest(registry, whole=whole) is None
    with pytest.raises(PoliciesUnusable):
        own_registry(config(policy={"files": ["p.cedar"]}), base=tmp_path)


def test_the_last_policies_do_not_go_unsaid() -> None:
    """Any number of them may become any other but none."""
    none, some = Registry(), Registry(policies=(TextFile(file="p", text=""),))
    for before, after in ((none, none), (none, some), (some, some)):
        check_policies_stay(before, after)
    with pytest.raises(RegistryUnusable, match="permit"):
        check_policies_stay(some, none)
