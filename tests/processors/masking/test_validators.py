"""Checksums, entropy and the look of a placeholder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking import validators as v
from tachograph.processors.masking.samples import filled


@pytest.mark.parametrize(
    "card",
    ["4111111111111111", "5555 5555 5555 4444", "3782-822463-10005", "6011111111111117", "30569309025904"],
)
def test_test_cards_of_the_schemes_hold(card: str) -> None:
    """Prefix, length and check digit."""
    assert v.luhn(card.encode())


@given(st.integers(0, 10**16 - 1))
def test_a_changed_digit_breaks_a_card(number: int) -> None:
    """Luhn finds every single wrong digit."""
    digits = f"4{number:015d}"[:16]
    wrong = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    assert not (v.luhn(digits.encode()) and v.luhn(wrong.encode()))


@pytest.mark.parametrize("iban", ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO9386011117947"])
def test_ibans(iban: str) -> None:
    """The registry's examples hold; a swapped digit does not."""
    assert v.iban(iban.encode())
    assert not v.iban(iban.encode().replace(b"9", b"8", 1))


@pytest.mark.parametrize(
    "text",
    [
        "<token>",
        "${TOKEN}",
        "$TOKEN",
        "{{ token }}",
        "****",
        "xxxx",
        "null",
        "your-api-key-here",
        "changeme",
        "[REDACTED]",
        "%PASSWORD%",
        "placeholder-consumer-key",
        "too-short",
        "",
        "`vault read`",
    ],
)
def test_placeholders(text: str) -> None:
    """What people write instead of a secret."""
    assert v.is_placeholder(text.encode())
    assert not v.secret(text.encode())


@pytest.mark.parametrize("text", ["topsecret-value", "hunter2", "p@ss", "<notatag", "Todo2024!"])
def test_no_placeholders(text: str) -> None:
    """What only begins like one is a value; a named field asks still less."""
    assert not v.is_hollow(text.encode())


@pytest.mark.parametrize(
    "text", ["os.environ", "config.api_key_2", "getToken(", "process.env.KEY1", "this.state.token"]
)
def test_expressions(text: str) -> None:
    """Code that fetches a secret is none."""
    assert v.is_expression(text.encode())


@pytest.mark.parametrize("template", ["{alnum:20}", "{hex:32}", "{uuid}", "{b64url:40}", "{lower:24}"])
@given(seed=st.integers(0, 300))
def test_random_values_look_random(template: str, seed: int) -> None:
    """What is drawn at random is never taken for filler."""
    assert v.random_like(filled(template, seed).encode())


def test_random_letters_are_not_taken_for_words() -> None:
    """Lower and upper case change too often: at most one in a thousand of 24 letters without a digit."""
    assert sum(v.is_camel_case(filled("{alpha:24}", seed).encode()) for seed in range(5000)) <= 5


@pytest.mark.parametrize(
    "text",
    [
        "the-quick-brown-fox",
        "aaaaaaaaaaaaaaaaaaaa",
        "abcdefghijklmnopqrstuvwxyz12345",
        "test-token-6",
        "application-json",
        "AbstractTokenProvider",
        "setAdmGroupImmunityLevel",
    ],
)
def test_words_and_filler_do_not(text: str) -> None:
    """Nor do names with a number at the end, nor words written together."""
    assert not v.random_like(text.encode())


@pytest.mark.parametrize(
    ("text", "good"),
    [("219-09-9998", True), ("000-12-3456", False), ("666-12-3456", False), ("900-12-3456", False)],
)
def test_social_security_numbers(text: str, good: bool) -> None:
    """By area."""
    assert v.ssn(text.encode()) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("93.184.216.34", True),
        ("8.8.8.8", False),
        ("10.0.0.1", False),
        ("::1", False),
        ("1.2.3.400", False),
        ("2606:4700::1111", True),
        ("2606:4700:4700:0::1111", False),
    ],
)
def test_addresses(text: str, good: bool) -> None:
    """Only global ones name somebody, and those of public resolvers nobody."""
    assert v.public_ip(text.encode()) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [("+44 20 7946 0958", True), ("2026-01-09", False), ("1111111", False), ("12345", False)],
)
def test_phones(text: str, good: bool) -> None:
    """No dates, no repetition, no short numbers."""
    assert v.phone(text.encode()) is good


@given(st.binary(max_size=80))
def test_every_validator_answers_for_any_bytes(value: bytes) -> None:
    """None raises."""
    for check in v.VALIDATORS.values():
        assert check(value) in (True, False)


def test_entropy_in_bits() -> None:
    """Shannon's."""
    assert v.entropy(b"") == 0
    assert v.entropy(b"abab") == 1


@given(st.text(alphabet="4051 -", max_size=30).filter(lambda text: text[:1] == "4"))
def test_every_shorter_reading_of_a_card_is_one_look(text: str) -> None:
    """The same as asking `luhn` of each beginning that ends before a space or a dash."""
    value = text.encode()
    marks = (at for at in range(1, len(value)) if value[at : at + 1] in (b" ", b"-"))
    ends = [at for at in marks if value[at - 1 : at].isdigit()]
    expected = max((end for end in ends if v.luhn(value[:end])), default=0)
    assert v.card_in_front(value) == expected


def test_a_card_in_front_of_its_expiry_date() -> None:
    """Its own digits and no more."""
    assert v.card_in_front(b"4111 1111 1111 1111 12") == 19
    assert v.card_in_front(b"4111 1111 1111 1112 12") == 0


def test_a_few_digits_among_letters_are_no_filler() -> None:
    """They count up by chance; where they are most of the value they do not."""
    assert not v.is_filler(b"ZqXJzK4.G5wM678993")
    assert v.is_filler(b"key-1234567890")
