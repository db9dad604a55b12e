"""No secret survives in a disguise, typed by code or under a weak name, nor where an answer repeats it so."""

import os

import pytest

from tachograph.processors.masking.canary_disguises import CALLS, DISGUISES, WEAK, disguised, seen
from tachograph.processors.masking.carried import NOTHING
from tachograph.processors.masking.masker import MaskedPart, Masker, PseudonymKey
from tachograph.processors.masking.ruleset import load

EXCHANGES = int(os.environ.get("TACHO_LEAK_EXCHANGES", "240"))
"""`python -m bench.leaks` takes 100,000."""


@pytest.fixture(scope="module")
def masker() -> Masker:
    return Masker(load(), PseudonymKey("k1", bytes(range(32))))


@pytest.mark.parametrize("start", range(0, EXCHANGES, 80))
def test_no_disguise_shows_its_secret(masker: Masker, start: int) -> None:
    """In the request that holds it and in the answer that repeats it; and nothing is withheld."""
    for seed in range(start, start + 80):
        request, answer = disguised(seed)
        asked = masker.mask_with(request.parts, NOTHING)
        assert seen(asked.parts, request.plants) == [], seed
        told = masker.mask_with(answer.parts, asked.found)
        assert seen(told.parts, answer.plants) == [], seed
        assert [part.withheld for part in (*asked.parts, *told.parts)] == [None] * 3, seed


def test_the_reader_sees_through_every_disguise() -> None:
    """The check can fail: exchanges give their plants away as they are, in each disguise and place."""
    places = set()
    for seed in range(500):
        for one in disguised(seed):
            if not any(part.content_encoding for part in one.parts):
                parts = [MaskedPart(part.name, part.data, None, 0, ()) for part in one.parts]
                assert seen(parts, one.plants) == list(one.plants), seed
                places |= {plant.place.split(":")[1 if ":" in plant.place else 0] for plant in one.plants}
    assert {*DISGUISES, "call", "tool", "weak", "header-capitals"} <= places
    assert len(CALLS) == len(set(CALLS))
    assert len(WEAK) == len(set(WEAK))


def test_the_same_seed_gives_the_same_exchange() -> None:
    """A leak can be looked at again."""
    assert disguised(7) == disguised(7) != disguised(8)
