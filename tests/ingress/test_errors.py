"""The error tree keeps its promises."""

from __future__ import annotations

import re

import pytest

from tachograph.ingress import errors


def _classes() -> list[type[errors.IngressError]]:
    return [getattr(errors, name) for name in errors.__all__]


def test_docstring_draws_the_tree() -> None:
    """Every class stands in the drawing, indented one step below its parent."""
    lines = re.findall(r"^((?:\|   |    |\|-- |`-- )*)(\w+)(?:  |$)", errors.__doc__ or "", re.MULTILINE)
    drawn = {name: len(bars) // 4 for bars, name in lines}
    for cls in _classes():
        depth = len(cls.__mro__) - len(errors.IngressError.__mro__)
        assert drawn.get(cls.__name__) == depth, cls.__name__


@pytest.mark.parametrize("cls", _classes())
def test_each_becomes_a_record(cls: type[errors.IngressError]) -> None:
    """Every error turns into the code and detail that the response record carries."""
    error = cls("what was expected, what came")
    assert error.recorded().code == cls.code
    assert error.recorded().detail == "what was expected, what came"
    assert 400 <= error.status <= 599


def test_bad_request_says_which_kind() -> None:
    """A malformed request may be answered with a narrower status than 400."""
    assert errors.BadRequest("too long", status=431).status == 431
    assert errors.BadRequest("malformed").status == 400
