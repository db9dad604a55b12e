"""What tokens cost: one dated price list as data (`prices.toml`), and the sum for one answer.

Never a guess: an unknown model, a day before the price's own, a batch or priority tier, or a kind of
token without a price gives no cost at all. The sum is of tokens only, at list price, without tax.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from tachograph.processors.enrichment.facts import Usage

__all__ = ["Cost", "Price", "PriceList", "builtin_prices", "parse_prices"]

_MILLION = Decimal(1_000_000)
_PLACES = 9
_SNAPSHOT = re.compile(r"-(?:\d{8}|\d{4}-\d\d-\d\d|latest)$")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens of one model since one day, for prompts within one range of length."""

    model: str
    since: date
    input: Decimal
    output: Decimal
    cache_read: Decimal | None
    cache_write: Decimal | None
    cache_write_1h: Decimal | None
    prompt_from: int
    prompt_to: int | None

    def fits(self, day: date, prompt: int) -> bool:
        return self.since <= day and prompt >= self.prompt_from and prompt <= (self.prompt_to or prompt)


@dataclass(frozen=True, slots=True)
class Cost:
    """A sum in US dollars, and the day since which its price holds."""

    usd: float
    since: date


@dataclass(frozen=True, slots=True)
class PriceList:
    """All prices by model name, newest first."""

    prices: Mapping[str, tuple[Price, ...]]

    def cost(self, model: str, usage: Usage, day: date) -> Cost | None:
        """What an answer of `model` on `day` cost, or None where any part of it is not known."""
        if not usage.standard or usage.input is None:
            return None
        entries = self.prices.get(model) or self.prices.get(_SNAPSHOT.sub("", model), ())
        price = next((entry for entry in entries if entry.fits(day, usage.prompt or 0)), None)
        total = _sum(price, usage) if price else None
        if price is None or total is None:
            return None
        return Cost(float(round(total / _MILLION, _PLACES)), price.since)


def _sum(price: Price, usage: Usage) -> Decimal | None:
    hour = min(usage.cache_write_1h or 0, usage.cache_write or 0)
    counted = (
        (usage.input or 0, price.input),
        (usage.output or 0, price.output),
        (usage.cache_read or 0, price.cache_read),
        ((usage.cache_write or 0) - hour, price.cache_write),
        (hour, price.cache_write_1h),
    )
    total = Decimal(0)
    for tokens, rate in counted:
        if tokens and rate is None:
            return None
        total += tokens * (rate or Decimal(0))
    return total


def parse_prices(text: str) -> PriceList:
    """Read a price list; raises ValueError, TypeError or KeyError for one that is none: it ships with us."""
    by_model: defaultdict[str, list[Price]] = defaultdict(list)
    for entry in tomllib.loads(text, parse_float=Decimal)["price"]:
        price = _price(entry)
        by_model[price.model].append(price)
    return PriceList(
        {
            model: tuple(sorted(found, key=lambda price: price.since, reverse=True))
            for model, found in by_model.items()
        }
    )


def _price(entry: Mapping[str, Any]) -> Price:
    def rate(name: str) -> Decimal | None:
        return Decimal(entry[name]) if name in entry else None

    since = entry["since"]
    if not isinstance(since, date):
        raise TypeError(f"{entry['model']}: since: expected a date, got {since!r}")
    return Price(
        model=entry["model"],
        since=since,
        input=Decimal(entry["input"]),
        output=Decimal(entry["output"]),
        cache_read=rate("cache_read"),
        cache_write=rate("cache_write"),
        cache_write_1h=rate("cache_write_1h"),
        prompt_from=entry.get("prompt_from", 0),
        prompt_to=entry.get("prompt_to"),
    )


@cache
def builtin_prices() -> PriceList:
    """The list that ships with this release."""
    return parse_prices(files(__package__).joinpath("prices.toml").read_text(encoding="utf-8"))
