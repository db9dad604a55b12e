"""The room's errors form one tree, and its docstring draws it."""

from __future__ import annotations

from tachograph.approvals import errors


def test_the_tree_is_the_one_that_is_drawn() -> None:
    """Every error of the module stands in its docstring and under its base."""
    kinds = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]
    assert len(kinds) == 2
    for kind in kinds:
        assert issubclass(kind, errors.ApprovalsError)
        assert kind.__name__ in str(errors.__doc__)
