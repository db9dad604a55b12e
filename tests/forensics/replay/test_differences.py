"""Differences as a person reads them."""

from hypothesis import given
from hypothesis import strategies as st

from tachograph.forensics.replay.compared import NOT_TEXT
from tachograph.forensics.replay.differences import MAX_DIFFERENCES, differences, likeness

_LEAVES = st.dictionaries(st.text(max_size=5), st.text(max_size=30), max_size=5)


@given(_LEAVES, _LEAVES)
def test_there_is_a_difference_exactly_where_they_are_not_equal(
    one: dict[str, str], other: dict[str, str]
) -> None:
    """One for each place; equal ones are fully alike."""
    places = {place for place in (*one, *other) if one.get(place) != other.get(place)}
    assert {line.place for line in differences(one, other)} == places
    assert (likeness(one, other) == 1.0) == (one == other) or not (one or other)
    assert 0 <= likeness(one, other) <= 1


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_two_texts_are_told_alike(one: str, other: str) -> None:
    """What is shown holds what was and what is."""
    for line in differences({"a": one}, {"a": other}):
        assert line.recorded != line.came
        assert line.text.startswith("a: ")


def test_words_are_shown_whole_with_what_stands_around() -> None:
    """As `git diff --word-diff` does."""
    was = "Order 1042 was charged twice. Please find out why."
    (line,) = differences({"p": was}, {"p": was.replace("twice", "thrice")})
    assert line.text == "p: Order 1042 was charged [-twice-]{+thrice+}. Please find out why."


def test_long_texts_are_cut_to_the_change() -> None:
    """Nobody reads a megabyte to find one word."""
    (line,) = differences({"p": "x " * 500 + "one" + " y" * 500}, {"p": "x " * 500 + "two" + " y" * 500})
    assert (line.recorded, line.came) == ("one", "two")
    assert len(line.text) < 120


def test_what_is_only_on_one_side_says_on_which() -> None:
    """Missing, or not in the record."""
    lines = [line.text for line in differences({"a": "1"}, {"b": f"{NOT_TEXT}2"})]
    assert lines == ["a: missing: [-1-]", "b: not in the record: {+2+}"]


def test_a_number_and_its_text_are_told_apart() -> None:
    """By quotes."""
    (line,) = differences({"a": "1"}, {"a": f"{NOT_TEXT}1"})
    assert line.text == 'a: [-"1"-]{+1+}'


def test_so_many_places_are_told_and_the_rest_counted() -> None:
    """A wholly different request does not fill the terminal."""
    lines = differences({str(n): "a" for n in range(MAX_DIFFERENCES + 5)}, {})
    assert len(lines) == MAX_DIFFERENCES + 1
    assert lines[-1].place == "and 5 places more"
