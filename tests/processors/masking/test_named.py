"""Values under secret names are found whole, wherever names stand before values."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.fields import DEFAULT_FIELDS, FieldRules
from tachograph.processors.masking.named import NamedValues

NAMED = NamedValues(DEFAULT_FIELDS.with_more(FieldRules(json_keys=("customer_note",))))


def found(text: str, *, form: bool = False) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in NAMED.find(data, form=form)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"password": "a\\"b\\\\", "n": 1}', ['a\\"b\\\\']),
        ('{"pin":1234,"x":5}', ["1234"]),
        ('{"pin" : -12.5e3 }', ["-12.5e3"]),
        ('{"customerNote":"likes tea"}', ["likes tea"]),
        ('{"credentials":{"user":"u","codes":[1,"x"],"ok":true},"after":"no"}', ["u", "1", "x", "true"]),
        ('{"secrets":["a","b"],"c":"d"}', ["a", "b"]),
        ('{"pass\\u0077ord":"hid\\"den"}', ['hid\\"den']),
        ('{"password":"cut off here', ["cut off here"]),
        ('{"password":""}', []),
        ('{"password":null,"token":true}', []),
        ('{"password":"********","token":"<token>","secret":"${SECRET}"}', []),
        ('{"max_tokens":5,"usage":{"input_tokens":3}}', []),
        ("https://x.example/?api_key=abc&b=1#f", ["abc"]),
        ("<db:Password>pw1</db:Password><name>n</name>", ["pw1"]),
        ("<a><b>x</b><password>cut o", ["cut o"]),
        ("<a><password><![CDATA[cut o", ["cut o"]),
        ("say <password> and go", []),
        ('Content-Disposition: form-data; name="password"\r\n\r\np w\r\n--b', ["p w"]),
        ("Content-Disposition: form-data; name=password\r\n\r\np w\r\n--b", ["p w"]),
    ],
)
def test_named_values(text: str, values: list[str]) -> None:
    """Strings to their real end, numbers, whole objects; no nulls, no placeholders, no usage counts."""
    assert found(text) == values


def test_a_form_begins_with_a_pair() -> None:
    """Only in a form is the first pair one; elsewhere it is text."""
    assert found("sid=abc&x=1", form=True) == ["abc"]
    assert found("sid=abc&x=1") == []


@pytest.mark.parametrize("mark", ["'", '"', ";", "<", ">", "\\", "`"])
def test_only_an_ampersand_ends_the_value_in_a_form(mark: str) -> None:
    """Clients send other marks as they are: a password goes on behind them."""
    assert found(f"/x?a=1&password=ab{mark}cd&b=2", form=True) == [f"ab{mark}cd"]


def test_a_schema_under_a_secret_name_keeps_its_words() -> None:
    """Tool definitions describe arguments called password; only what may hold a value is masked."""
    schema = {"password": {"type": "string", "description": "The password", "default": "hunter2"}}
    assert found(orjson.dumps(schema).decode()) == ["hunter2"]


@given(st.text(min_size=1, max_size=60))
def test_any_string_value_is_taken_whole(value: str) -> None:
    """No content of a value ends it early."""
    text = orjson.dumps({"a": 1, "clientSecret": "Q7" + value, "z": "tail"}).decode()
    assert [orjson.loads(f'"{v}"') for v in found(text)] == ["Q7" + value]


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    """No text raises, and every place lies in it."""
    data = text.encode()
    assert all(0 <= f.start < f.end <= len(data) for f in NAMED.find(data, form=True))


def test_header_and_key_names() -> None:
    """The two other places ask by name alone."""
    assert NAMED.is_header("X-Api-Key")
    assert NAMED.is_key("db_password")
