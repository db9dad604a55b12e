"""A policy that could fail on a request is refused when it is loaded."""

from __future__ import annotations

import json

import cedarpy
import pytest

from tachograph.ingress.policy.calls import Action
from tachograph.ingress.policy.cedar_schema import CONTEXT, RESERVED_ACTIONS, check, schema_text
from tachograph.ingress.policy.reads import reads_of


def problems(text: str) -> tuple[str, ...]:
    policy = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]["policy0"]
    return check(text, reads_of(policy))


def when(condition: str, action: str = "mcp.call") -> str:
    return f'permit(principal, action == Action::"{action}", resource) when {{ {condition} }};'


def test_the_schema_is_one_for_cedar() -> None:
    """It parses, with names that need quotes too."""
    cedarpy.Schema.from_str(schema_text({"a-b"}, {"x y": "Long"}, {'"'}))


@pytest.mark.parametrize(
    "condition",
    [
        'context.tool == "rm"',
        'context.arguments has path && context.arguments.path like "/tmp/*"',
        "context.arguments has n && context.arguments.n < 3",
        "context.arguments has force && context.arguments.force",
        (
            'context.arguments has p && context.arguments.p == "a"'
            " && context.arguments has n && context.arguments.n > 1"
        ),
        'context.argument_types has x && context.argument_types.x == "object"',
        'context.argument_names.contains("force")',
        'resource.labels has env && resource.labels.env == "prod"',
        'context has source && context.source.isInRange(ip("10.0.0.0/8"))',
        "context.time.hour >= 8 && context.time.weekday < 6",
        'context.actors.contains(Agent::"helper")',
        'principal has issuer && principal.issuer == "https://id"',
    ],
)
def test_good_policies_pass(condition: str) -> None:
    """An argument has the type by which it is used."""
    assert problems(when(condition)) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (when("context.tol == 1"), "`tol`"),
        (when('context.arguments.path == "a"'), "optional attribute `arguments.path`"),
        (
            when('context.arguments has p && (context.arguments.p == 1 || context.arguments.p == "a")'),
            "not compat",
        ),
        (when('context.tool == "a"', "http.request"), "`tool`"),
        (when("context.method == 1", "http.request"), "not compatible"),
        (when('resource.labels.env == "prod"'), "optional attribute `labels.env`"),
        ('permit(principal == Usr::"x", action, resource);', "unrecognized entity type"),
        ('permit(principal, action == Action::"mcp.cal", resource);', "unrecognized action"),
        ('permit(principal == Connection::"x", action, resource);', "unable to find an applicable action"),
    ],
)
def test_bad_policies_do_not(text: str, says: str) -> None:
    """Unknown names, unguarded reads, types that never meet, scopes that never apply."""
    assert any(says in problem for problem in problems(text)), problems(text)


def test_a_policy_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload asks Cedar about what has changed, and hears the same about the rest."""
    bad = when("context.tool > 3")
    said = problems(bad)
    monkeypatch.setattr(cedarpy, "validate_policies", None)
    assert problems(bad) == said != ()
    with pytest.raises(TypeError):
        problems(when("context.tool > 4"))


def test_every_action_has_its_context() -> None:
    """What policies can read is one list; reserved actions are no actions yet."""
    assert set(CONTEXT) == set(Action)
    assert not RESERVED_ACTIONS & {action.value for action in Action}
    assert all("method" in names and "path" in names for names in CONTEXT.values())
