"""Equal values get equal pseudonyms under one key and type, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.errors import PseudonymKeyError
from tachograph.processors.masking.pseudonyms import LOW_ENTROPY, PseudonymKey, normalised

KEY = PseudonymKey("k1", bytes(range(32)))


def test_the_marker_has_type_key_and_pseudonym() -> None:
    """The form that the documentation gives, fixed for ever by this value."""
    assert KEY.marker("TOKEN", b"abc") == b"[TOKEN:k1.80ffe1c040c5465e]"


@pytest.mark.parametrize("kind", sorted(LOW_ENTROPY))
def test_low_entropy_types_get_none(kind: str) -> None:
    """A PIN's pseudonym could be found by trying ten thousand."""
    assert KEY.marker(kind, b"1234") == f"[{kind}]".encode()
    asked = PseudonymKey("k1", KEY.secret, correlate_low_entropy=True)
    assert asked.of(kind, b"1234") is not None


def test_keys_and_types_are_apart() -> None:
    """Another tenant's key or another type says nothing about this one."""
    other = PseudonymKey("k2", bytes(32))
    assert len({KEY.of("TOKEN", b"x"), KEY.of("API_KEY", b"x"), other.of("TOKEN", b"x")}) == 3


@pytest.mark.parametrize(
    ("kind", "one", "two"),
    [
        ("CREDIT_CARD", b"4111 1111 1111 1111", b"4111-1111-1111-1111"),
        ("IBAN", b"gb82 west 1234 5698 7654 32", b"GB82WEST12345698765432"),
        ("EMAIL", b"Jane@Example.org", b"jane@example.org"),
        ("PHONE", b"+44 20 7946 0958", b"44(20)79460958"),
    ],
)
def test_spelling_does_not_matter(kind: str, one: bytes, two: bytes) -> None:
    """The same card is the same card, however it is set."""
    assert KEY.of(kind, one) == KEY.of(kind, two)


def test_case_matters_in_a_token() -> None:
    """Nothing is normalised that could tell values apart."""
    assert KEY.of("TOKEN", b"Abc") != KEY.of("TOKEN", b"abc")


def test_a_short_key_is_refused() -> None:
    """And the error says what to do."""
    with pytest.raises(
        PseudonymKeyError, match=r"at least 32 bytes, got 16; make one with `openssl rand -hex 32`"
    ):
        PseudonymKey("k1", bytes(16))
    with pytest.raises(PseudonymKeyError, match="key id"):
        PseudonymKey("K 1", bytes(32))


def test_the_key_is_not_shown() -> None:
    """A repr holds the id alone."""
    assert "x" * 32 not in repr(PseudonymKey("k1", b"x" * 32))


@given(st.binary(max_size=50), st.sampled_from(["TOKEN", "EMAIL", "IBAN", "CREDIT_CARD"]))
def test_markers_are_safe_in_any_string(value: bytes, kind: str) -> None:
    """No quote, no backslash, no space, no percent."""
    marker = KEY.marker(kind, value).decode()
    assert not set(marker) & set("\"'\\ %&<>")
    assert normalised(kind, normalised(kind, value)) == normalised(kind, value)


def test_a_keys_own_id_follows_from_it() -> None:
    """Every process calls a key the same; another key has another id, and other pseudonyms."""
    one, two = PseudonymKey.named(bytes(32)), PseudonymKey.named(bytes(31) + b"1")
    assert one.key_id == PseudonymKey.named(bytes(32)).key_id != two.key_id
    assert one.of("TOKEN", b"abc") != two.of("TOKEN", b"abc")
