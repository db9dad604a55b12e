"""Costs come from a dated list, exactly, or not at all."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.enrichment.facts import Usage
from tachograph.processors.enrichment.prices import builtin_prices, parse_prices

DAY = date(2026, 11, 23)
LIST = parse_prices("""
[[price]]
model = "m"
since = 2026-01-01
input = 2
output = 10
cache_read = 0.2

[[price]]
model = "m"
since = 2026-06-01
input = 1
output = 5
cache_read = 0.1
cache_write = 1.25
cache_write_1h = 2

[[price]]
model = "long"
since = 2026-01-01
input = 1
output = 2
prompt_to = 100

[[price]]
model = "long"
since = 2026-01-01
input = 10
output = 20
prompt_from = 101
""")


@pytest.mark.parametrize(
    ("model", "usage", "day", "usd"),
    [
        ("m", Usage(input=1_000_000, output=1_000_000), date(2026, 3, 1), 12.0),
        ("m", Usage(input=1_000_000, output=1_000_000), date(2026, 6, 1), 6.0),
        ("m", Usage(input=3, output=7), DAY, 0.000038),
        ("m", Usage(input=0, output=0, cache_read=10, cache_write=100, cache_write_1h=40), DAY, 0.000156),
        ("m-20260101", Usage(input=1, output=0), DAY, 0.000001),
        ("m-2026-01-01", Usage(input=1, output=0), DAY, 0.000001),
        ("m-latest", Usage(input=1, output=0), DAY, 0.000001),
        ("long", Usage(input=100, output=0), DAY, 0.0001),
        ("long", Usage(input=1, output=0, cache_read=100), DAY, None),
        ("long", Usage(input=101, output=1), DAY, 0.00103),
    ],
)
def test_a_known_cost_is_exact(model: str, usage: Usage, day: date, usd: float | None) -> None:
    """The newest price of the day, by length of prompt, for each kind of token."""
    cost = LIST.cost(model, usage, day)
    assert (cost.usd if cost else None) == usd


@pytest.mark.parametrize(
    ("model", "usage", "day"),
    [
        ("other", Usage(input=1, output=1), DAY),
        ("m-turbo", Usage(input=1, output=1), DAY),
        ("m", Usage(input=1, output=1), date(2025, 12, 31)),
        ("m", Usage(output=1), DAY),
        ("m", Usage(input=1, output=1, standard=False), DAY),
        ("m", Usage(input=1, output=1, cache_write=5), date(2026, 3, 1)),
    ],
    ids=["model", "variant", "before-the-list", "no-input", "batch-tier", "no-price-for-cache-writes"],
)
def test_what_is_not_known_costs_nothing_at_all(model: str, usage: Usage, day: date) -> None:
    """Never a guess: one unknown part and there is no cost."""
    assert LIST.cost(model, usage, day) is None


def test_the_list_that_ships_is_well_formed() -> None:
    """Every entry has a past date and positive rates, cache reads below input, writes above."""
    found = builtin_prices().prices
    assert {"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5", "gpt-5", "gpt-4o"} <= set(found)
    for model, prices in found.items():
        for price in prices:
            assert price.since <= DAY, model
            assert Decimal(0) < price.input < price.output, model
            assert price.cache_read is None or price.cache_read < price.input, model
            assert price.cache_write is None or price.cache_write > price.input, model


def test_a_cut_in_price_counts_from_its_day() -> None:
    """Cache reads of one model became cheaper on 2026-10-07; answers of the day before keep the old price."""
    usage = Usage(input=0, output=0, cache_read=1_000_000)
    costs = [builtin_prices().cost("claude-sonnet-5-5", usage, date(2026, 10, day)) for day in (6, 7)]
    assert [cost.usd for cost in costs if cost] == [0.2, 0.1]


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_more_tokens_never_cost_less(sent: int, out: int, read: int, write: int) -> None:
    """Costs are sums: no kind of token ever lowers them."""
    fewer = LIST.cost("m", Usage(sent, out, read, write), DAY)
    more = LIST.cost("m", Usage(sent + 1, out + 1, read + 1, write + 1), DAY)
    assert fewer is not None
    assert more is not None
    assert fewer.usd <= more.usd


@pytest.mark.parametrize(
    "text", ["", "price = 3", '[[price]]\nmodel = "x"\nsince = 3\ninput = 1\noutput = 1']
)
def test_a_list_that_is_none_is_refused(text: str) -> None:
    """A broken list fails when it is read, not when money is counted."""
    with pytest.raises((KeyError, TypeError)):
        parse_prices(text)
