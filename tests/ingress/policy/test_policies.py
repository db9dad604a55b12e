"""A policy set is used as a whole, or not at all, with every reason at its line."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.policy.calls import Action
from tachograph.ingress.policy.errors import PoliciesRefused
from tachograph.ingress.policy.policies import PolicyFile, read_policies

ALL = "(principal, action, resource);"


def problems(*texts: str, issuers: int = 1) -> list[str]:
    files = [PolicyFile(f"{index}.cedar", text) for index, text in enumerate(texts)]
    with pytest.raises(PoliciesRefused) as caught:
        read_policies(files, issuers=issuers)
    return [str(problem) for problem in caught.value.problems]


def test_a_policy_is_read_with_its_notes() -> None:
    """Id, place, reason, and the people that it asks for."""
    text = (
        '\n@id("ops.rm-1") @reason("Deleting needs a second pair of eyes")\n@approval("ops") '
        '@approval_minutes("5") @approval_reviewers("2")\n'
        'permit(principal, action in [Action::"mcp.call", Action::"mcp.message"], resource);'
    )
    (policy,) = read_policies([PolicyFile("a.cedar", text)])
    assert (policy.id, policy.place, policy.permit) == ("ops.rm-1", "a.cedar:2", True)
    assert policy.actions == {Action.MCP_CALL, Action.MCP_MESSAGE}
    need = policy.approval
    assert need is not None
    assert (need.group, need.minutes, need.reviewers, need.policy) == ("ops", 5, 2, "ops.rm-1")
    assert need.reason == policy.reason == "Deleting needs a second pair of eyes"


def test_approval_has_defaults() -> None:
    """Half an hour, one reviewer."""
    (policy,) = read_policies([PolicyFile("a", f'@id("a") @approval("ops") permit{ALL}')])
    assert policy.approval is not None
    assert (policy.approval.minutes, policy.approval.reviewers) == (30, 1)
    assert policy.actions == set(Action)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"permit{ALL}", "expected @id"),
        (f'@id("") permit{ALL}', "expected @id"),
        (f'@id("a b") permit{ALL}', "expected @id"),
        (f'@id("{"a" * 65}") permit{ALL}', "expected @id"),
        (f'@id("a") @id("b") permit{ALL}', "does not parse: duplicate annotation"),
        (f'@id("a") @aproval("ops") permit{ALL}', "unknown annotation @aproval"),
        (f'@id("a") @reason("x\\ny") permit{ALL}', "expected @reason"),
        (f'@id("a") @approval("ops") forbid{ALL}', "a forbid is final"),
        (f'@id("a") @approval("") permit{ALL}', "expected @approval"),
        (f'@id("a") @approval_minutes("5") permit{ALL}', "expected @approval("),
        (f'@id("a") @approval("o") @approval_minutes("0") permit{ALL}', "N from 1 to 480"),
        (f'@id("a") @approval("o") @approval_minutes("481") permit{ALL}', "N from 1 to 480"),
        (f'@id("a") @approval("o") @approval_minutes("1e1") permit{ALL}', "N from 1 to 480"),
        (f'@id("a") @approval("o") @approval_reviewers("99") permit{ALL}', "N from 1 to 10"),
        ('@id("a") permit(principal, action == Action::"sql.execute", resource);', "reserved"),
        ('@id("a") permit(principal == ?principal, action, resource);', "template"),
        ('@id("a") permit(principal, action, resource) when { };', "does not parse"),
        ('@id("a") permit(principal, action, resource)', "does not parse"),
        ('@id("a") permit(principal, action, resource) when { context.nothing };', "`nothing`"),
        ("allow everything;", "does not parse"),
        (";", "does not parse"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    """Each with its reason, in words that say what was expected."""
    found = problems(text)
    assert any(says in problem for problem in found), found
    assert all(problem.startswith("0.cedar:1: ") for problem in found)


def test_all_problems_come_at_once() -> None:
    """In every file, each at its own line; a good policy among them does not help."""
    good = f'@id("good") permit{ALL}'
    found = problems(f"{good}\n\nbad;\n", f'\n@id("x") @y permit{ALL}')
    assert [problem.partition(": ")[0] for problem in found] == ["0.cedar:3", "1.cedar:2"]


def test_ids_are_unique_over_all_files() -> None:
    """The second one says where the first is."""
    assert problems(f'@id("a") permit{ALL}', f'\n@id("a") forbid{ALL}') == [
        "1.cedar:2: policy `a`: 0.cedar:1 has that id already"
    ]


def test_a_user_of_several_issuers_is_ambiguous() -> None:
    """Two issuers may each have an `ada`; a policy must say whose it means."""
    named = '@id("a") permit(principal == User::"ada", action, resource)'
    assert "issuers" in problems(f"{named};", issuers=2)[0]
    sure = f'{named} when {{ principal has issuer && principal.issuer == "https://id.example" }};'
    assert len(read_policies([PolicyFile("a", sure)], issuers=2)) == 1
    assert len(read_policies([PolicyFile("a", f"{named};")], issuers=1)) == 1


def test_no_file_is_no_policy() -> None:
    """And so is a file of comments."""
    assert read_policies([]) == ()
    assert read_policies([PolicyFile("a", "// nothing yet\n")]) == ()


@given(st.text(max_size=80))
def test_any_text_is_policies_or_refused(text: str) -> None:
    """Nothing but `PoliciesRefused` comes out of it."""
    with contextlib.suppress(PoliciesRefused):
        assert all(policy.id for policy in read_policies([PolicyFile("a", text)]))
