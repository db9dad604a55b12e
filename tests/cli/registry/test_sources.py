"""A registry read from a folder or a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tachograph.cli.errors import Refused, WrongUse
from tachograph.cli.registry.sources import check_policies_stay, read_registry
from tachograph.schemas.config import Configuration
from tachograph.schemas.errors import ConfigurationError

API = "name: api\nprotocol: http\nupstream: http://x\n"
CONFIG = Configuration()


def put(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def test_a_folder_and_a_file_say_the_same(tmp_path: Path) -> None:
    """As long as their policies have the same names."""
    folder = put(tmp_path / "a", "connections/api.yaml", API)
    put(folder, ".git/config", "not ours")
    file = tmp_path / "tacho.yaml"
    file.write_text("connections: [{name: api, protocol: http, upstream: 'http://x'}]\n")
    assert read_registry(folder, CONFIG) == read_registry(file, CONFIG)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("policies/p.cedar", "permit(", "policies/p.cedar:1"),
        ("masking/r.toml", "[[rules]]\nid = 'x'\nregex = '('\n", "masking/r.toml:2"),
        ("connections/api.yaml", API + "credential: {source: {vault: {path: x}}}\n", "Vault"),
        ("policies/p.cedar", "x" * (2 << 20), "at most"),
    ],
)
def test_what_a_part_would_refuse_is_refused_here(tmp_path: Path, name: str, text: str, said: str) -> None:
    """Before anything is published."""
    with pytest.raises(WrongUse, match=said):
        read_registry(put(tmp_path, name, text), CONFIG)


def test_what_is_no_registry_is_not_read_as_an_empty_one(tmp_path: Path) -> None:
    """An empty folder, one that is not there, a file in the wrong place."""
    with pytest.raises(WrongUse, match="expected a folder with"):
        read_registry(tmp_path, CONFIG)
    with pytest.raises(WrongUse, match="cannot be read"):
        read_registry(tmp_path / "none", CONFIG)
    with pytest.raises(ConfigurationError, match=r"notes\.txt"):
        read_registry(put(put(tmp_path, "connections/api.yaml", API), "notes.txt", ""), CONFIG)


def test_nothing_is_left_out_in_silence(tmp_path: Path) -> None:
    """A link that leads nowhere, a linked folder, a pipe: each might have been the policy that forbids."""
    folder = put(tmp_path / "a", "connections/api.yaml", API)
    put(tmp_path / "b", "p.cedar", '@id("none") forbid(principal, action, resource);')
    odd = folder / "policies"
    for make in (
        lambda: odd.symlink_to(tmp_path / "b", target_is_directory=True),
        lambda: odd.symlink_to(tmp_path / "gone"),
        lambda: os.mkfifo(odd),
    ):
        make()
        with pytest.raises(WrongUse, match="policies: expected a folder of its own"):
            read_registry(folder, CONFIG)
        odd.unlink()
    odd.mkdir()
    (odd / "p.cedar").symlink_to(tmp_path / "b" / "p.cedar")
    assert len(read_registry(folder, CONFIG).policies) == 1


def test_the_last_policy_does_not_go_by_accident(tmp_path: Path) -> None:
    """Without any, what was denied by default would be permitted; an empty file still denies."""
    bare = read_registry(put(tmp_path / "a", "connections/api.yaml", API), CONFIG)
    ruled = read_registry(
        put(put(tmp_path / "b", "connections/api.yaml", API), "policies/p.cedar", ""), CONFIG
    )
    with pytest.raises(Refused, match="none here"):
        check_policies_stay(ruled, bare)
    check_policies_stay(bare, bare)
    check_policies_stay(bare, ruled)
