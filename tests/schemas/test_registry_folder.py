"""A registry written down as files."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.schemas.errors import ConfigurationError
from tachograph.schemas.registry import Registry
from tachograph.schemas.registry_folder import load_folder

GOOD = {
    "registry.yaml": "contact: team\n",
    "connections/api.yaml": "name: api\nprotocol: http\nupstream: https://api.example.com\n",
    "connections/more.yaml": "connections:\n- {name: b, protocol: llm, upstream: 'http://b'}\n",
    "policies/all.cedar": '@id("all") permit(principal, action, resource);\n',
    "masking/fields.yaml": "headers: [x-b, x-a]\n",
    "masking/more.yaml": "headers: [x-a]\njson_keys: [pin]\n",
    "masking/2.toml": "# two",
    "masking/1.toml": "# one",
}


def test_a_folder_is_a_registry() -> None:
    """Every kind of file in its place."""
    registry = load_folder(GOOD)
    assert [one.name for one in registry.connections] == ["api", "b"]
    assert [one.file for one in registry.policies] == ["policies/all.cedar"]
    assert registry.contact == "team"
    assert registry.masking.headers == ("x-a", "x-b")
    assert [one.text for one in registry.masking.rules] == ["# one", "# two"]


def test_an_empty_folder_registers_nothing() -> None:
    """Which is a registry too; whoever applies it is asked."""
    assert load_folder({}) == Registry()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "connections/api.yaml",
            "name: api\nprotocol: smtp\nupstream: x\n",
            "connections/api.yaml:2: protocol",
        ),
        (
            "connections/api.yaml",
            "name: api\nprotocol: http\nupsteam: x\n",
            "connections/api.yaml:3: upsteam",
        ),
        ("connections/more.yaml", "connections: []\n", "connections/more.yaml:1: connections"),
        (
            "connections/more.yaml",
            "connections:\n- {name: api, protocol: llm, upstream: 'http://b'}\n",
            "twice: api",
        ),
        ("masking/fields.yaml", "headers: x\n", "masking/fields.yaml:1: headers"),
        ("registry.yaml", "version: 2\n", "registry.yaml:1: version"),
        ("policies/all.ceder", "", "policies/all.ceder: expected"),
        ("policies/deep/all.cedar", "", "policies/deep/all.cedar: expected"),
        ("README.md", "", "README.md: expected"),
    ],
)
def test_what_is_wrong_is_said_by_file_line_and_key(file: str, text: str, said: str) -> None:
    """And nothing is skipped in silence."""
    with pytest.raises(ConfigurationError) as found:
        load_folder({**GOOD, file: text})
    assert said in str(found.value)


def test_all_problems_are_said_at_once() -> None:
    """Of several files."""
    with pytest.raises(ConfigurationError) as found:
        load_folder({"connections/a.yaml": "x: 1", "registry.yaml": "y: 1"})
    assert {item.file for item in found.value.problems} == {"connections/a.yaml", "registry.yaml"}


@given(st.sampled_from(sorted(GOOD)), st.text(max_size=60))
def test_any_text_is_read_or_refused(file: str, text: str) -> None:
    """Nothing else comes out."""
    with suppress(ConfigurationError):
        assert isinstance(load_folder({**GOOD, file: text}), Registry)
