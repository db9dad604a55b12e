"""Templates fill the same way for the same seed, and a filled one has the form it names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.samples import filled


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ("a{alnum:36}", r"a[A-Za-z0-9]{36}"),
        ("{hex:8}-{digits:3}", r"[0-9a-f]{8}-[0-9]{3}"),
        ("{uuid}", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("{jwt}", r"ey[\w-]+\.ey[\w-]+\.[\w-]{43}"),
        ("{b64:1}{lower:2}{upper:2}{alpha:3}{b32:4}{b64url:5}", r".{17}"),
        ("{name} stays, {nope:3} too", r"\{name\} stays, \{nope:3\} too"),
    ],
)
@given(seed=st.integers(0, 1000))
def test_a_filled_template_has_its_form(template: str, form: str, seed: int) -> None:
    """Alphabet and length hold for every seed."""
    assert re.fullmatch(form, filled(template, seed))
    assert filled(template, seed) == filled(template, seed)
