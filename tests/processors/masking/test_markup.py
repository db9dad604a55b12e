"""Elements, attributes and labels name values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.fields import DEFAULT_FIELDS, FieldMatcher
from tachograph.processors.masking.markup import Markup

HINTS = rb"pass|secret|token|key|pin|credential"
FINDER = Markup(HINTS, FieldMatcher(DEFAULT_FIELDS).keys.match)


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[f.start : f.end].decode() for f in FINDER.find(data)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("<password><v>a</v>b</password>", ["a", "b"]),
        ('<r api_key="a"/>', ["a"]),
        ('<property name="password">a</property>', ["a"]),
        ("<key>password</key><string>a</string>", ["a"]),
        ("<password><![CDATA[a<b]]></password>", ["a<b"]),
        ("<tr><th>u</th><th>password</th></tr><tr><td>b</td><td>a</td></tr>", ["a"]),
        ("send <token> here", []),
        ("<a><password>cut", ["cut"]),
    ],
)
def test_markup(text: str, values: list[str]) -> None:
    """Nested, quoted, beside and below; no placeholders."""
    assert found(text) == values


@given(st.text(alphabet="<>/pasword=\"' !-[]CDATrthd", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """No text raises, and what is found lies in it."""
    data = text.encode()
    assert all(0 <= f.start < f.end <= len(data) for f in FINDER.find(data))
