"""What is wrong with a policy says where."""

from __future__ import annotations

from tachograph.ingress.policy.errors import PoliciesRefused, Problem


def test_a_problem_says_file_line_and_policy() -> None:
    """An editor can jump to it."""
    assert str(Problem("a.cedar", 3, "p", "wrong")) == "a.cedar:3: policy `p`: wrong"
    assert str(Problem("a.cedar", 0, "", "too long")) == "a.cedar: too long"


def test_a_refusal_holds_all_problems() -> None:
    """One run shows everything that is to be mended."""
    problems = [Problem("a", 1, "", "x"), Problem("b", 2, "", "y")]
    assert PoliciesRefused(problems).problems == tuple(problems)
    assert str(PoliciesRefused(problems)) == "a:1: x; b:2: y"
