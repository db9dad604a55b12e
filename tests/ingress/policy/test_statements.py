"""A file is cut where Cedar ends a policy, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.ingress.policy.statements import Statement, statements

PERMIT = "permit(principal, action, resource);"


def test_each_policy_has_its_line() -> None:
    """Comments and blank lines before a policy do not count to it."""
    found = list(statements(f'// a;b\n{PERMIT} // c;\n\n@id("x")\n{PERMIT}\n'))
    assert found == [Statement(2, PERMIT), Statement(4, f'@id("x")\n{PERMIT}')]


@pytest.mark.parametrize("inside", ["a;b", "// no comment", r"\"; quoted", r"\\"])
def test_strings_are_not_cut(inside: str) -> None:
    """A semicolon, a comment sign or an escaped quote in a string ends nothing."""
    text = f'@reason("{inside}")\n{PERMIT}'
    assert [item.text for item in statements(text)] == [text]


def test_what_is_left_is_a_statement_too() -> None:
    """A policy without its semicolon, or a string without its end, is not dropped in silence."""
    assert list(statements("permit(principal")) == [Statement(1, "permit(principal")]
    assert list(statements('@id("a; permit')) == [Statement(1, '@id("a; permit')]


def _behind(text: str, statement: str) -> str:
    """What comes after a statement that has nothing but blanks and comments before it, and is in none."""
    at = text.find(statement)
    while text.startswith("//", at) or text[:at].rpartition("\n")[2].strip() or _said(text[:at]):
        at = text.find(statement, at + 1)
        assert at >= 0
    return text[at + len(statement) :]


def _said(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip() and not line.strip().startswith("//")]


@example("//\n/")
@example("//a\na;")
@example('"\\')
@given(st.text(alphabet='a;"\\/\n @', max_size=60))
def test_nothing_is_lost(text: str) -> None:
    """Every character that is no blank and no comment stands in exactly one statement, in order."""
    found = list(statements(text))
    rest = text
    for item in found:
        rest = _behind(rest, item.text)
    assert not _said(rest)
