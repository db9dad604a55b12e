"""A value found once is found everywhere, in its encoded forms too; what is too short or common is left
alone.
"""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking import propagate
from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.limits import Limits
from tachograph.processors.masking.propagate import Haystack, components, haystacks, needles, spellings

VALUE = b"q7Lp2vXz9RtB4mNc"


def haystack(value: bytes, limits: Limits | None = None) -> Haystack:
    return Haystack(needles("r", "T", value), limits or Limits())


@given(st.binary(max_size=5), st.binary(max_size=5), st.binary(min_size=12, max_size=30))
def test_base64_of_a_value_between_other_bytes_is_found(lead: bytes, tail: bytes, value: bytes) -> None:
    """At any alignment some spelling of the value stands in it."""
    coded = base64.b64encode(lead + value + tail)
    assert any(spelling in coded for spelling in spellings(value))


def test_hex_and_plain_are_found() -> None:
    """In either case of hex."""
    search = haystack(VALUE)
    for text in (VALUE, VALUE.hex().encode(), VALUE.hex().upper().encode()):
        assert [needle.shown for needle, _, _ in search.find(b"x " + text + b" y")][:1] == [VALUE]


def test_a_short_value_must_stand_free() -> None:
    """`abc123` inside another word is another word."""
    search = haystack(b"abc123")
    assert list(search.find(b"xabc1234")) == []
    assert len(list(search.find(b"(abc123)"))) == 1


@pytest.mark.parametrize("value", [b"", b"abc", b"string", b"      "])
def test_common_and_short_values_are_no_needles(value: bytes) -> None:
    """They would mask half of every text."""
    assert list(needles("r", "T", value)) == []
    assert not Haystack((), Limits())


def test_a_known_secret_is_always_a_needle() -> None:
    """However short."""
    assert [n.value for n in needles("r", "T", b"abc", always=True)] == [b"abc"]


def test_too_many_values_are_withheld() -> None:
    """The bound has a name."""
    with pytest.raises(Withheld, match="propagation-limit"):
        haystack(VALUE, Limits(needles=1))


def test_the_better_finding_names_a_value() -> None:
    """Whoever comes first."""
    one = list(needles("low", "A", VALUE, priority=1))
    two = list(needles("high", "B", VALUE, priority=2))
    for wanted in (one + two, two + one):
        (hit,) = Haystack(wanted, Limits()).find(VALUE)
        assert hit[0].rule == "high"
    assert VALUE.decode() not in repr(one[0])


def test_many_values_are_looked_for_in_several_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as memory asks for; together they find what one would."""
    wanted = [needle for number in range(50) for needle in needles("r", "T", b"value-%d-of-many" % number)]
    text = b" ".join(needle.value for needle in wanted)
    whole = set(Haystack(wanted, Limits()).find(text))
    monkeypatch.setattr(propagate, "BATCH_BYTES", 100)
    passes = list(haystacks(wanted, Limits()))
    assert len(passes) > 10
    assert {hit for one in passes for hit in one.find(text)} == whole
    with pytest.raises(Withheld, match="propagation-limit"):
        list(haystacks(wanted, Limits(needles=10)))


@given(st.integers(1, 40), st.integers(0, 60))
def test_a_long_text_is_searched_in_pieces(step: int, lead: int) -> None:
    """A value that lies over the end of a piece is found, and found once."""
    text = b"x " * lead + VALUE + b" y" * 30 + VALUE
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(propagate, "_STEP", step)
        found = [start for _, start, _ in haystack(VALUE).find(text)]
    assert found == [2 * lead, 2 * lead + len(VALUE) + 60]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (b"a=b; sid=ZqTum9Ylz8286k3", [b"ZqTum9Ylz8286k3"]),
        (b"sha256=9f2c81d0e7a4b3c2", [b"9f2c81d0e7a4b3c2"]),
        (b'username="bob", response="ZqG_GUZRAzu-144132"', [b"ZqG_GUZRAzu-144132"]),
        (b"lang=en-US; seen=2026-01-02T03:04:05Z; theme=solarized-dark", []),
        (b"ZqTum9Ylz8286k3", []),
        (b"ZqTum9Ylz8286k3==", []),
    ],
)
def test_parts_of_a_value_are_looked_for_by_themselves(value: bytes, parts: list[bytes]) -> None:
    """What looks drawn at random in a cookie or a digest; no language, date or word, and nothing twice."""
    assert components(value) == parts
