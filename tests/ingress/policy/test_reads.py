"""Everything that a policy can see is among what it reads."""

from __future__ import annotations

import json

import cedarpy
import pytest

from tachograph.ingress.policy.reads import Reads, entities_of, reads_of


def reads(condition: str = "true", scope: str = "principal, action, resource") -> Reads:
    text = f"permit({scope}) when {{ {condition} }};"
    return reads_of(json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]["policy0"])


@pytest.mark.parametrize(
    ("condition", "paths"),
    [
        ('context.method == "GET"', {("method",)}),
        ("context has tool", {("tool",)}),
        (
            'context has arguments.path && context.arguments.path like "/*"',
            {("arguments",), ("arguments", "path")},
        ),
        ('context.arguments["a.b"] == 1', {("arguments", "a.b")}),
        ("if context.stream then context.batch else false", {("stream",), ("batch",)}),
        ('context.source.isInRange(ip("10.0.0.0/8"))', {("source",)}),
        ('context.tools.containsAny(["a", "b"])', {("tools",)}),
        ("[context.time.hour, 1].contains(2)", {("time", "hour")}),
        ("{a: context.time}.a.hour == 1", {("time",)}),
        ("{a: context}.a.method == 1", {()}),
        ("context == {}", {()}),
        ("-context.time.unix + 3 > 2 * context.time.hour", {("time", "unix"), ("time", "hour")}),
        ("true", set()),
    ],
)
def test_paths_into_the_context(condition: str, paths: set[tuple[str, ...]]) -> None:
    """In any expression; what is taken as a whole counts as a whole."""
    assert reads(condition).context == paths


@pytest.mark.parametrize(
    ("condition", "scope", "principal", "issuer"),
    [
        ("true", "principal, action, resource", False, False),
        ("true", 'principal == User::"a", action, resource', True, False),
        ("true", 'principal in User::"a", action, resource', True, False),
        ("true", "principal is Agent, action, resource", True, False),
        ("true", 'principal in Group::"g", action, resource', False, False),
        ('principal.issuer == "x"', "principal, action, resource", True, True),
        ('principal has issuer && principal.kind == "oidc"', "principal, action, resource", True, True),
        ("resource == principal", "principal, action, resource", True, False),
        ('User::"x".kind == "oidc"', "principal, action, resource", True, False),
    ],
)
def test_who_it_is(condition: str, scope: str, principal: bool, issuer: bool) -> None:
    """Asked for by name, by kind, by attribute, or through an entity of its own kind."""
    found = reads(condition, scope)
    assert (found.principal, found.issuer) == (principal, issuer)


def test_groups_and_labels() -> None:
    """Groups by name, wherever they stand; labels of the connection."""
    found = reads(
        'principal in [Group::"b", Group::"c"] && resource.labels.env == "x" && resource.labels has owner',
        'principal is User in Group::"a", action, resource',
    )
    assert found.groups == {"a", "b", "c"}
    assert found.labels == {"env", "owner"}


def test_below() -> None:
    """The names below one attribute, or None where all of it is read."""
    assert reads("context.arguments.a == context.arguments.b").below("arguments") == {"a", "b"}
    assert reads("context.arguments == {}").below("arguments") is None
    assert reads("context == {}").below("arguments") is None
    assert reads("true").below("arguments") == frozenset()


def test_together() -> None:
    """What several policies read."""
    both = reads("context.method == context.path") | reads('principal in Group::"g"')
    assert both.context == {("method",), ("path",)}
    assert (both.groups, both.principal) == ({"g"}, True)


def test_entities() -> None:
    """Every entity by type and id; a record that only looks like one is none."""
    scope = 'principal in Group::"g", action == Action::"a", resource'
    text = f'permit({scope}) when {{ {{type: "x", id: "y"}} == context }};'
    policy = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]["policy0"]
    assert entities_of(policy) == {("Group", "g"), ("Action", "a")}
