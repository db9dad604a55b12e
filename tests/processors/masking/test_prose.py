"""A sentence that names a secret gives it away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.prose import Prose

FINDER = Prose()


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in FINDER.find(data)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("the password is Zq9P!x4v.", ["Zq9P!x4v"]),
        ("das Passwort lautet Zq9P!x4v", ["Zq9P!x4v"]),
        ("密码：Zq9P!x4v", ["Zq9P!x4v"]),
        ("creds bob:Zq9P!x4v", ["Zq9P!x4v"]),
        ("The password must be at least 12 characters.", []),
        ("the token is valid for 30 days", []),
        ("DB_PASSWORD is Zq9Px4", ["Zq9Px4"]),
        ("The password is XqmvJoyQxvkx00", ["XqmvJoyQxvkx00"]),
        ("the token is Section12 of the ReadMe2", []),
    ],
)
def test_prose(text: str, values: list[str]) -> None:
    """What can be no word of the sentence; a sentence about passwords stays."""
    assert list(dict.fromkeys(found(text))) == values


@given(st.text(alphabet="the pasword i:1!Z\"'`", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """No text raises, and what is found lies in it."""
    data = text.encode()
    assert all(0 <= f.start < f.end <= len(data) for f in FINDER.find(data))


def test_the_last_word_of_a_longer_name_begins_no_sentence() -> None:
    """`acme-api-key: x` assigns; whether that counts is not the sentences' to say."""
    value = b"acde9f05b1a6d4c890237bf08c5e6e8d2b4d0f2e"
    assert not list(Prose().find(b"acme-api-key: " + value))
    assert list(Prose().find(b"the api key: " + value))
