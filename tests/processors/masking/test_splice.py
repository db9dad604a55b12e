"""Markers never break what they are written into."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.splice import Patch, spliced
from tachograph.processors.masking.wellformed import is_json

DOCUMENT = b'{"a":"xx","b":[12,-3.5e2,true,null],"c":{"d":"y\\"z"}}'


def test_a_number_becomes_a_string() -> None:
    """Whole, also when only a part of it was found."""
    at = DOCUMENT.index(b"12")
    out = spliced(DOCUMENT, [Patch(at, at + 1, b"[N]")], "json")
    assert orjson.loads(out or b"")["b"] == ["[N]", -350.0, True, None]


def test_a_range_over_several_values_is_cut() -> None:
    """Quotes, commas, names of the structure stay."""
    out = spliced(DOCUMENT, [Patch(0, len(DOCUMENT), b"[X]")], "json")
    assert orjson.loads(out or b"") == {"[X]": {"[X]": "[X]"}} | {"[X]": {"[X]": "[X]"}}


@given(st.data())
def test_json_stays_json_whatever_is_patched(data: st.DataObject) -> None:
    """Or the caller is told that it would not."""
    cuts = sorted(data.draw(st.sets(st.integers(0, len(DOCUMENT)), max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    out = spliced(DOCUMENT, [Patch(a, b, b"[X:k1.00]") for a, b in pairs], "json")
    assert out is None or is_json(out)


@pytest.mark.parametrize("lead", [b"", b"data: ", b"data:"])
def test_lines_are_patched_line_by_line(lead: bytes) -> None:
    """Each event stays JSON; what is no JSON is patched as text."""
    text = lead + b'{"t":"abc"}\n\n' + lead + b"plain abc\n"
    first, second = text.index(b"abc"), text.rindex(b"abc")
    out = spliced(text, [Patch(first, first + 3, b"[1]"), Patch(second, second + 3, b"[2]")], "lines")
    assert out == lead + b'{"t":"[1]"}\n\n' + lead + b"plain [2]\n"


def test_text_is_text() -> None:
    """Quotes of a bare number at its own depth come from the patch."""
    assert spliced(b'{\\"pin\\":12}', [Patch(9, 11, b"[P]", b'\\"')], "plain") == b'{\\"pin\\":\\"[P]\\"}'
    assert spliced(b"abc", [], "json") == b"abc"
