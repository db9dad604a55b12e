"""A table of cases says where it is wrong, and what came out otherwise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.cli.errors import WrongUse
from tachograph.cli.policy.cases import read_cases, run_cases
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.schemas.connection import Connection

CONNECTIONS = {
    name: Connection(name=name, protocol=kind, upstream="http://x")
    for name, kind in (("crm", "http"), ("model", "llm"))
}
POLICY = """
@id("get") permit(principal, action, resource) when { context.method == "GET" };
@id("ls") permit(principal, action == Action::"llm.tool_use", resource) when { context.tool == "ls" };
@id("rm") @approval("ops") @reason("final") permit(principal, action == Action::"llm.tool_use", resource)
when { context.tool == "rm" && context.arguments has path && context.arguments.path like "/tmp/*" };
"""
JUDGE = CedarJudge(read_policies([PolicyFile("a", POLICY)]), CONNECTIONS.values())
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "good"),
    [
        ("{connection: crm, expect: allow}", True),
        ("{connection: crm, expect: allow, policy: get}", True),
        ("{connection: crm, expect: allow, policy: [get]}", True),
        ("{connection: crm, expect: allow, policy: []}", False),
        ("{connection: crm, expect: allow, policy: other}", False),
        ("{connection: crm, expect: deny}", False),
        ("{connection: crm, method: POST, expect: deny, policy: []}", True),
        ("{connection: model, tool: ls, expect: allow, policy: ls}", True),
        ("{connection: model, tool: rm, arguments: {path: /tmp/a}, expect: approval, policy: rm}", True),
        ("{connection: model, tool: rm, arguments: {path: /etc}, expect: deny}", True),
        ("{connection: model, tool: rm, arguments: {path: /etc}, expect: approval}", False),
    ],
)
def test_what_a_case_expects(row: str, good: bool) -> None:
    """The effect, and where it is said the policies, all of them."""
    (result,) = run_cases(read_cases(f"cases: [{row}]", file="c"), JUDGE, CONNECTIONS, now=NOW)
    assert result.good is good
    assert result.told()["good"] is good
    assert len(list(result.difference())) >= 2


def test_defaults_are_of_all_cases() -> None:
    """And a case may say otherwise."""
    text = "defaults: {connection: crm, principal: a}\ncases: [{expect: deny}, {expect: deny, principal: b}]"
    assert [case.principal for case in read_cases(text, file="c")] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases: [", "c:1"),
        ("[]", "expected `cases`"),
        ("cases: []\nmore: 1", "more"),
        ("cases: [{connection: crm}]", "case 1: expect"),
        ("cases: [{connection: crm, expect: perhaps}]", "case 1: expect"),
        ("cases: [{connection: crm, expect: deny}, {connection: crm, expect: deny, tol: x}]", "case 2: tol"),
    ],
)
def test_a_table_that_does_not_fit(text: str, says: str) -> None:
    """Which case, which field."""
    with pytest.raises(WrongUse, match=says):
        read_cases(text, file="c")


@given(st.text(max_size=60))
def test_any_text_is_cases_or_wrong_use(text: str) -> None:
    """Never a traceback."""
    try:
        read_cases(text, file="c")
    except WrongUse as error:
        assert str(error).startswith("c:")  # noqa: PT017 - either outcome is good
