"""Differences between two rule sets, in counts."""

from tachograph.processors.backtest_tally import Tally
from tachograph.processors.masking.masker import Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import parse

KEY = PseudonymKey("k1", bytes(32))


def masker(word: str) -> Masker:
    return Masker(parse(f"[[rules]]\nid='{word}'\nregex='{word}[a-z]*'"), KEY)


def tally(old: str, new: str, data: bytes) -> dict[str, object]:
    found = Tally()
    found.add([Part("b", "text", data)], masker(old), masker(new))
    return found.facts()


def test_the_same_rules_change_nothing() -> None:
    """Every count is zero."""
    facts = tally("apple", "apple", b"an applepie and a pear")
    assert facts["newly_masked"] == facts["newly_leaked"] == {}
    assert (facts["records"], facts["bytes"]) == (1, 22)


def test_what_is_new_and_what_is_gone_is_counted_by_rule() -> None:
    """The candidate's rule for what it adds, the current one for what would show."""
    facts = tally("apple", "pear", b"an applepie and a pear")
    assert facts["newly_masked"] == {"pear": 1}
    assert facts["newly_leaked"] == {"apple": 1}
    assert "applepie" not in str(facts)


def test_a_shorter_span_leaks_its_rest() -> None:
    """Half of a secret masked is a secret leaked."""
    short = Tally()
    whole = masker("apple")
    half = Masker(parse("[[rules]]\nid='half'\nregex='apple'"), KEY)
    short.add([Part("b", "text", b"an applepie")], whole, half)
    assert short.facts()["newly_leaked"] == {"apple": 1}


def test_withholding_is_counted_apart() -> None:
    """A rule that matches everything everywhere would withhold, not mask."""
    found = Tally()
    every = Masker(parse("[[rules]]\nid='a'\nregex='.'"), KEY)
    found.add([Part("b", "text", b"abc " * 60_000)], masker("zzz"), every)
    assert found.facts()["newly_withheld"] == {"span-limit": 1}
