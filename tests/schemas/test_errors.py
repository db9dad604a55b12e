"""Errors of the schemas: one tree, and configuration problems that name their place."""

from __future__ import annotations

import pytest

from tachograph.schemas import errors
from tachograph.schemas.errors import (
    ConfigurationError,
    ConfigurationProblem,
    MalformedRecord,
    RecordError,
    SchemaError,
    SealBroken,
    UnknownVersion,
)


@pytest.mark.parametrize("kind", [UnknownVersion, MalformedRecord, SealBroken])
def test_what_is_wrong_with_a_record_is_a_record_error(kind: type[Exception]) -> None:
    """Who handles a record that cannot be taken needs one name only."""
    assert issubclass(kind, RecordError)


def test_the_tree_is_the_one_that_is_drawn() -> None:
    """Every error of the module stands in its docstring and under its base."""
    kinds = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]
    assert len(kinds) == 8
    for kind in kinds:
        assert issubclass(kind, SchemaError)
        assert kind.__name__ in str(errors.__doc__)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (ConfigurationProblem("a.yaml", 3, "kafka.x", "no"), "a.yaml:3: kafka.x: no"),
        (ConfigurationProblem("a.yaml", 3, "", "no"), "a.yaml:3: no"),
        (ConfigurationProblem("a.yaml", 0, "", "no"), "a.yaml: no"),
    ],
)
def test_a_problem_reads_like_a_compiler_s(problem: ConfigurationProblem, text: str) -> None:
    """File, line and key, as far as there are any: editors jump to it."""
    assert str(problem) == text


def test_all_problems_are_told() -> None:
    """One line each, in order, and as values for a program."""
    problems = tuple(ConfigurationProblem("a.yaml", line, "k", "no") for line in (1, 2))
    error = ConfigurationError(problems)
    assert str(error).splitlines() == [str(problem) for problem in problems]
    assert error.problems == problems
