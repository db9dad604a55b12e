"""No secret survives that only its place tells, and none that an answer repeats of its request."""

import os

import pytest

from tachograph.processors.masking.canary_places import PLACES, RULES, conversation, placed, remnants
from tachograph.processors.masking.carried import NOTHING
from tachograph.processors.masking.masker import MaskedPart, Masker, PseudonymKey
from tachograph.processors.masking.ruleset import load

EXCHANGES = int(os.environ.get("TACHO_LEAK_EXCHANGES", "240"))
"""`python -m bench.leaks` takes 100,000."""

OLD_LEAKS = (26, 389, 938, 3953, 15329, 1004433)
"""Seeds of `placed` that once leaked: a manifest that was hex in a string, `&lt;` in mark-up in a string, a
letter beyond ASCII in base64, digits that count up among letters, `%8A` in a value.
"""
OLD_ANSWERS = (42, 792, 2433, 13851, 1012948, 7019860, 20289466)
"""Seeds of `conversation`: half an entity, a cookie among others, Digest credentials, `%0A` and `%69` in
a value."""


@pytest.fixture(scope="module")
def masker() -> Masker:
    return Masker(load(), PseudonymKey("k1", bytes(range(32))), connection_rules=RULES)


@pytest.mark.parametrize("start", range(0, EXCHANGES, 80))
def test_no_place_gives_its_secret_away(masker: Masker, start: int) -> None:
    """Tables, manifests, settings, mark-up, statements, commands, headers, sentences and paths."""
    for seed in (*range(start, start + 80), *OLD_LEAKS):
        one = placed(seed)
        masked = masker.mask(one.parts)
        assert [part.withheld for part in masked] == [None, None], seed
        assert remnants(masked, one.plants) == [], seed


@pytest.mark.parametrize("start", range(0, EXCHANGES, 80))
def test_no_answer_repeats_a_secret(masker: Masker, start: int) -> None:
    """In a sentence, encoded, in a header, in events and lines: what the request named stays unread."""
    for seed in (*range(start, start + 80), *OLD_ANSWERS):
        request, answer = conversation(seed)
        asked = masker.mask_with(request.parts, NOTHING)
        assert remnants(asked.parts, request.plants) == [], seed
        told = masker.mask_with(answer.parts, asked.found)
        assert remnants(told.parts, answer.plants) == [], seed


def test_the_reader_finds_plants_in_what_was_not_masked() -> None:
    """The check can fail: exchanges give their plants away as they are, and answers theirs."""
    for seed in range(60):
        for one in (placed(seed), *conversation(seed)):
            parts = [MaskedPart(p.name, p.data, None, 0, ()) for p in one.parts if not p.content_encoding]
            if len(parts) == len(one.parts):
                assert remnants(parts, one.plants), seed


def test_an_answer_alone_gives_nothing_to_go_by(masker: Masker) -> None:
    """What masks it is its request: without one most of what it repeats can be read."""
    answers = [conversation(seed)[1] for seed in range(60)]
    told = sum(bool(remnants(masker.mask(one.parts), one.plants)) for one in answers)
    assert told > 20


def test_the_same_seed_gives_the_same_exchange() -> None:
    """A leak can be looked at again."""
    assert placed(7) == placed(7) != placed(8)
    assert conversation(7) == conversation(7) != conversation(8)


def test_every_place_is_taken() -> None:
    """The seeds reach all notations, paths and headers."""
    places = {plant.place for seed in range(400) for plant in placed(seed).plants}
    assert {*PLACES, "path"} <= places
    assert sum(place.startswith("header:") for place in places) > 8
