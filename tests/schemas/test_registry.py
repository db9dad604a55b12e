"""A registry: one value, one digest."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from tachograph.schemas.canonical import sha256_hex
from tachograph.schemas.config import Configuration
from tachograph.schemas.connection import Connection
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.registry import (
    MAX_REGISTRY_BYTES,
    MaskingRules,
    Registry,
    TextFile,
    registry_of,
    short,
)

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CONNECTIONS = st.builds(
    Connection,
    name=NAMES,
    protocol=st.sampled_from(["http", "llm", "mcp"]),
    upstream=st.just("https://api.example.com"),
    allow=st.lists(NAMES, max_size=2).map(tuple),
    labels=st.dictionaries(TEXTS, TEXTS, max_size=3),
    timeouts=st.builds(dict, read=st.floats(0.1, 1000)),
)
FILES = st.builds(TextFile, file=NAMES, text=TEXTS)
REGISTRIES = st.builds(
    Registry,
    connections=st.lists(CONNECTIONS, max_size=3, unique_by=lambda one: one.name).map(tuple),
    policies=st.lists(FILES, max_size=3, unique_by=lambda one: one.file).map(tuple),
    masking=st.builds(MaskingRules, headers=st.lists(NAMES, max_size=4).map(tuple)),
)


@given(REGISTRIES)
def test_what_is_published_reads_back_as_the_same(registry: Registry) -> None:
    """Bytes and value, in both directions."""
    data = registry.canonical()
    assert Registry.parse(data) == registry
    assert Registry.parse(data).canonical() == data
    assert registry.digest == sha256_hex(data)
    assert registry.digest.startswith(short(registry.digest))


@given(REGISTRIES, st.randoms(use_true_random=False))
def test_the_order_in_which_things_were_written_is_not_seen(
    registry: Registry, shuffling: random.Random
) -> None:
    """Connections, policies and hidden names come in any order, names more than once."""

    def shuffled(items: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(shuffling.sample(items, len(items)))

    other = Registry(
        connections=shuffled(registry.connections),
        policies=shuffled(registry.policies),
        masking=MaskingRules(headers=(*shuffled(registry.masking.headers), *registry.masking.headers)),
    )
    assert other.canonical() == registry.canonical()


def test_the_order_of_rules_counts() -> None:
    """A later rule takes the place of an earlier one of the same id."""
    one, two = TextFile(file="1", text="a"), TextFile(file="2", text="b")
    first, second = (Registry(masking=MaskingRules(rules=rules)) for rules in ((one, two), (two, one)))
    assert first.digest != second.digest


def test_nothing_is_named_twice() -> None:
    """Two connections of one name, two hosts, two policy files."""
    one = Connection(name="a", protocol="http", upstream="http://x", hosts=("A.example",))
    other = Connection(name="b", protocol="http", upstream="http://y", hosts=("a.example",))
    file = TextFile(file="p.cedar", text="")
    for registry in ({"connections": (one, one)}, {"connections": (one, other)}, {"policies": (file, file)}):
        with pytest.raises(ValidationError, match="named twice"):
            Registry(**registry)


def test_a_registry_has_a_bound() -> None:
    """It must fit into one record."""
    big = Registry(policies=(TextFile(file="p", text="x" * MAX_REGISTRY_BYTES),))
    with pytest.raises(MalformedRecord, match="at most"):
        big.canonical()
    with pytest.raises(MalformedRecord, match="at most"):
        Registry.parse(b" " * (MAX_REGISTRY_BYTES + 1))


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    """And nothing of them is in the error."""
    assume(b"".join(data.split()) != b"{")  # `{}` is the registry of nothing
    with pytest.raises(MalformedRecord):
        Registry.parse(data + b"}")


def test_a_configuration_file_registers_by_its_own_sections() -> None:
    """And what it registers goes over it again."""
    config = Configuration.model_validate(
        {
            "connections": [{"name": "a", "protocol": "http", "upstream": "http://x"}],
            "policy": {"files": ["p.cedar"], "contact": "team"},
            "masking": {"headers": ["X-B", "X-A"], "rules": ["r.toml"]},
        }
    )
    registry = registry_of(config, {"p.cedar": "permit(principal, action, resource);", "r.toml": "[[rules]]"})
    assert [one.file for one in (*registry.policies, *registry.masking.rules)] == ["p.cedar", "r.toml"]
    assert registry.contact == "team"
    over = registry.over(Configuration())
    assert over.connections == config.connections
    assert over.masking.headers == ("X-A", "X-B")


def test_a_connection_that_the_site_cannot_serve_is_refused() -> None:
    """Its credential is in Vault, and nobody has said how to reach one."""
    source = {"source": {"vault": {"path": "secret/x"}}}
    value = {"name": "a", "protocol": "http", "upstream": "http://x", "credential": source}
    registry = Registry.model_validate({"connections": [value]})
    with pytest.raises(ValidationError, match="Vault"):
        registry.over(Configuration())
