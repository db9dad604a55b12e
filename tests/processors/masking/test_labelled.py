"""A value is secret also where its name stands beside it as a value."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.fields import DEFAULT_FIELDS
from tachograph.processors.masking.labelled import find
from tachograph.processors.masking.named import NamedValues

NAMED = NamedValues(DEFAULT_FIELDS)


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in NAMED.find(data)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"name": "DB_PASSWORD", "value": "hunter2"}', ["hunter2"]),
        ('{"Value":"hunter2","Key":"ApiKey"}', ["hunter2"]),
        ('{"name":"token","type":"text","secret":true,"note":"a\\"b","value":"t\\"1"}', ['t\\"1']),
        ('{"key":"pin","value":1234}', ["1234"]),
        ('{"updates":{"path":"password","to":"hunter2"}}', ["hunter2"]),
        ('{"path":"/city","to":"Rome"}', []),
        ('[{"name":"USER","value":"bob"},{"name":"PASS","value":"x1"}]', ["x1"]),
        ('{"name":"password","value":""}', []),
        ('{"name":"password"},{"value":"other"}', []),
        ('{"name":"get_token","description":"Gives a token"}', []),
        ('[["Host","h"],["Cookie","a=b; c=d"],["X-Api-Key","k3y"]]', ["a=b; c=d", "k3y"]),
        ('{"allow":["Authorization","Content-Type"]}', []),
        ('{"required":["password","email"]}', []),
        ('<input type="password" name="password" value="hunter2">', ["hunter2"]),
        ("<input value=abc123 name=token type=hidden>", ["abc123"]),
        ('<input type="hidden" name="authenticity_token" value="abc123" />', []),
        ("<input value=abc123 name=__RequestVerificationToken type='hidden'>", []),
        ('<input name="csrf_token" value="abc123">', ["abc123"]),
        ('<input type="hidden" name="access_token" value="abc123">', ["abc123"]),
        ('<add key="ApiKey" value="k1" />', ["k1"]),
        ('<input name="city" value="Rome">', []),
    ],
)
def test_labelled_values(text: str, values: list[str]) -> None:
    """In either order, with members between; never the value of another object, never a list of names."""
    assert found(text) == values


@given(st.text(min_size=1, max_size=40), st.booleans())
def test_any_value_under_a_label_is_taken_whole(value: str, first: bool) -> None:
    """No content of a value hides it, whichever of the two comes first (braces aside, before the label)."""
    members = [("value", "Q7" + value), ("name", "client_secret")]
    if first and "{" in value:
        return
    text = orjson.dumps(dict(members if first else reversed(members))).decode()
    assert [orjson.loads(f'"{v}"') for v in found(text)] == ["Q7" + value]


def test_nothing_is_found_where_no_name_is_secret() -> None:
    """The rules decide, not the shape."""
    assert list(find(b'{"name":"password","value":"x"}', lambda _: False, lambda _: False)) == []
