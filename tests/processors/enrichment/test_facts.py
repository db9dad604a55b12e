"""Facts are plain values; what they compute is small and exact."""

from __future__ import annotations

import pytest

from tachograph.processors.enrichment.facts import Facts, Turn, Usage


@pytest.mark.parametrize(
    ("usage", "prompt"),
    [
        (Usage(), None),
        (Usage(output=5), None),
        (Usage(input=3), 3),
        (Usage(input=3, cache_read=10, cache_write=100), 113),
        (Usage(input=3, cache_write=100, cache_write_1h=40), 103),
    ],
)
def test_the_prompt_is_all_that_went_in(usage: Usage, prompt: int | None) -> None:
    """Cached tokens are part of the prompt; the hour's share of the writes is not counted twice."""
    assert usage.prompt == prompt


def test_only_the_assistant_is_the_assistant() -> None:
    """The new turn starts after the last message of this role."""
    assert Turn("assistant", b"{}", "").assistant
    assert not Turn("user", b"{}", "").assistant


def test_a_parser_that_knows_nothing_says_nothing() -> None:
    """Facts without arguments claim nothing, not even a problem."""
    empty = Facts()
    assert not any(getattr(empty, name) for name in Facts.__slots__)
