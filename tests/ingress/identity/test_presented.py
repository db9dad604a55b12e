"""Where credentials are found, and that they are gone afterwards."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.ingress.identity.presented import (
    PLACEHOLDER,
    parted,
    presented,
    scrubbed,
    withheld,
)

KEY = "tacho_abcd2345_" + "k" * 43
BASIC = "Basic " + base64.b64encode(f"agent:{KEY}".encode()).decode()
ALONE = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
PLACEHOLDER_BASIC = f"Basic {PLACEHOLDER}"
NAMES = st.sampled_from(
    ["Authorization", "x-api-key", "API-Key", "X-Tacho-Key", "Proxy-Authorization", "Cookie"]
)
VALUES = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=60),
    st.sampled_from([KEY, f"Bearer {KEY}", BASIC, f"a={KEY}; b=c", "Bearer other", "Basic !!!", "Basic"]),
)


@pytest.mark.parametrize(
    "field",
    [
        ("X-Tacho-Key", KEY),
        ("Proxy-Authorization", BASIC),
        ("Proxy-Authorization", f"Bearer {KEY}"),
        ("Authorization", f"Bearer {KEY}"),
        ("authorization", f"bearer  {KEY} "),
        ("Authorization", BASIC),
        ("Authorization", ALONE),
        ("Proxy-Authorization", ALONE),
        ("X-Api-Key", KEY),
        ("api-key", KEY),
    ],
)
def test_every_place_is_looked_at(field: tuple[str, str]) -> None:
    """A credential is found in each place, taken out for the target and replaced for the record."""
    headers = (("Accept", "*/*"), field)
    assert [item.text for item in presented(headers)] == [KEY]
    assert parted(headers, KEY)[0] == (("Accept", "*/*"),)
    name, value = parted(headers, KEY)[1][1]
    assert (name, value.endswith(PLACEHOLDER)) == (field[0], True)


def test_the_order_of_places_is_fixed() -> None:
    """Which header comes first on the wire does not matter."""
    headers = (("api-key", "e"), ("authorization", "Bearer c"), ("x-api-key", "d"), ("x-tacho-key", "a"))
    assert [item.text for item in presented(headers)] == ["a", "c", "d", "e"]


def test_the_same_credential_in_two_headers_goes_from_both() -> None:
    """The Anthropic client sends key and token at once when both variables are set."""
    headers = (("x-api-key", KEY), ("Authorization", f"Bearer {KEY}"), ("Cookie", f"k={KEY}"))
    assert parted(headers, KEY)[0] == ()
    assert parted(headers, KEY)[1] == (
        ("x-api-key", PLACEHOLDER),
        ("Authorization", f"Bearer {PLACEHOLDER}"),
        ("Cookie", f"k={PLACEHOLDER}"),
    )


def test_the_agents_own_token_for_the_target_stays() -> None:
    """Only what carries the gateway credential, or is for us alone, is taken out."""
    headers = (
        ("x-tacho-key", KEY),
        ("authorization", "Bearer theirs"),
        ("proxy-authorization", "Basic eDp5"),
    )
    assert parted(headers, KEY)[0] == (("authorization", "Bearer theirs"),)


OTHER = "tacho_wxyz6789_" + "o" * 43
BASICS = [base64.b64encode(text.encode()).decode() for text in (f"{OTHER}:", f"u:{OTHER}", f"{KEY}:")]


@pytest.mark.parametrize(
    "field",
    [
        ("Authorization", f"Bearer {OTHER}"),
        ("X-Api-Key", OTHER),
        ("Cookie", f"a={OTHER}; b=c"),
        *(("Authorization", f"Basic {value}") for value in BASICS),
        *(("X-Forwarded-Authorization", f"Basic {value}") for value in BASICS),
    ],
)
def test_a_second_gateway_key_goes_nowhere(field: tuple[str, str]) -> None:
    """The first credential decides; another key beside it is still one, and no target's business."""
    headers = (("x-tacho-key", KEY), field)
    assert parted(headers, KEY)[0] == ()
    for kept in (parted(headers, KEY)[1], withheld(headers)):
        assert PLACEHOLDER in kept[1][1]
        assert not any(secret in repr(kept) for secret in (KEY, OTHER, *BASICS))


def test_a_key_in_a_text_is_replaced() -> None:
    """A key in a URL is seen by its shape."""
    assert scrubbed(f"/v1?key={KEY}&a=b") == f"/v1?key={PLACEHOLDER}&a=b"


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_the_credential_is_nowhere_afterwards(headers: list[tuple[str, str]]) -> None:
    """Whatever else stands in the headers, neither target nor record sees the key, plain or in Basic."""
    encoded = base64.b64encode(f"agent:{KEY}".encode()).decode()
    for item in presented(headers):
        assert repr(item).count(item.text) == 0 or len(item.text) < 20
    for result in (parted(headers, KEY)[0], parted(headers, KEY)[1]):
        text = repr(result)
        assert KEY not in text
        assert encoded not in text


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_a_refused_request_shows_nothing_in_the_places(headers: list[tuple[str, str]]) -> None:
    """For an unknown sender every place is blanked; elsewhere only what has the shape of a gateway key."""
    for before, after in zip(headers, withheld(headers), strict=True):
        if before[0] == "Cookie":
            assert after[1] == (PLACEHOLDER_BASIC if before[1] == BASIC else scrubbed(before[1]))
        else:
            assert after[1] in {PLACEHOLDER, *(f"{s}{PLACEHOLDER}" for s in ("Bearer ", "bearer ", "Basic "))}


def test_an_endless_value_is_not_looked_at() -> None:
    """A value beyond the bound is no credential."""
    assert presented([("x-api-key", "x" * 20_000)]) == []
