"""When two masked texts may be the same."""

from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.replay.markers import again, alike, markers_in

ONE, TWO = "[PASSWORD:ab12.0123456789abcdef]", "[PASSWORD:ab12.ffffffffffffffff]"
SECRET = "[SECRET:ab12.aaaaaaaaaaaaaaaa]"
KNOWN = frozenset({ONE, TWO, SECRET})


@given(st.text(), st.text())
def test_texts_without_markers_are_alike_only_if_equal(one: str, other: str) -> None:
    """Whatever they hold."""
    assert alike(one, other, frozenset()) == (one == other)


def test_two_pseudonyms_of_one_type_are_two_values() -> None:
    """Even where both stand in the record."""
    assert not alike(f"use {ONE}", f"use {TWO}", KNOWN)


def test_one_value_may_be_masked_under_two_names() -> None:
    """Where the marker that came is one that the agent was told."""
    assert alike(f"use {ONE}", f"use {SECRET}", KNOWN)
    assert not alike(f"use {ONE}", f"use {SECRET}", frozenset({ONE}))


def test_a_text_masked_again_is_any_marker() -> None:
    """But only a marker, and what stands around it counts."""
    came = again("SECRET")
    assert alike(f"dsn {ONE}", f"dsn {came}", frozenset())
    assert not alike("dsn plain", f"dsn {came}", frozenset())
    assert not alike(f"dsn {ONE}", f"url {came}", frozenset())


def test_markers_are_found_as_masking_writes_them() -> None:
    """A word in brackets is none."""
    texts = [f"a {ONE} [TODO] [X:y]", "[PIN] and [OTP]", "[gateway-credential]"]
    assert markers_in(texts) == {ONE, "[PIN]", "[OTP]"}
