"""The fast path changes nothing but the time: Hyperscan and the gate alone give equal spans."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.processors.masking import prefilter
from tachograph.processors.masking.canaries import exchange
from tachograph.processors.masking.limits import Deadline
from tachograph.processors.masking.masker import Masker, PseudonymKey
from tachograph.processors.masking.ruleset import Ruleset, load, parse
from tachograph.processors.masking.samples import filled
from tachograph.processors.masking.scan import Scanner

pytestmark = pytest.mark.skipif(
    prefilter.hyperscan is None, reason="the hyperscan extra is not installed: there is only one path"
)
RULES = load()
KEY = PseudonymKey("k1", bytes(32))
FRAGMENTS = [filled(text) for rule in RULES.rules for text in (*rule.examples, *rule.counterexamples)]
JOINTS = ["", " ", "\n", '"', "=", "\x0b", "\x00", "\\", "é", "-", "_", "x", "0", ": '", "&", "\r\n"]


@pytest.fixture(scope="module")
def both() -> tuple[Scanner, Scanner]:
    return Scanner(RULES, prefilter.best_prefilter(RULES.rules)), Scanner(RULES)


def spans(scanner: Scanner, text: bytes) -> list[tuple[str, int, int]]:
    return sorted((h.rule.id, h.start, h.end) for h in scanner.scan(text, Deadline.after(60)))


@given(
    st.lists(
        st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from(JOINTS), st.text(max_size=12)), max_size=12
    )
)
@settings(max_examples=300, deadline=None)
def test_both_paths_find_the_same(both: tuple[Scanner, Scanner], pieces: list[str]) -> None:
    """Over examples, near misses and noise in any mix, also where the two engines read characters apart."""
    text = "".join(pieces).encode()
    assert spans(both[0], text) == spans(both[1], text)


@given(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=8), st.integers(0, 5000))
@settings(max_examples=60, deadline=None)
def test_both_paths_find_the_same_in_long_texts(
    both: tuple[Scanner, Scanner], pieces: list[str], gap: int
) -> None:
    """Windows fall the same way on both."""
    text = ("\n" + "lorem ipsum " * (gap // 12)).join(pieces).encode()
    assert spans(both[0], text) == spans(both[1], text)


def test_both_paths_write_the_same_records() -> None:
    """Whole exchanges come out byte for byte alike."""
    fast, sure = Masker(RULES, KEY), Masker(RULES, KEY, prefilter=False)
    for seed in range(60):
        parts = exchange(seed).parts
        assert fast.mask(parts) == sure.mask(parts)


def test_a_pattern_that_hyperscan_refuses_counts_as_always_possible() -> None:
    """A Unicode class means other bytes there; the rule still works."""
    ruleset = parse(
        "[[rules]]\nid = 'u'\nregex = '''k=(\\pL{3})'''\n[[rules]]\nid = 'v'\nregex = 'zz[0-9]'\n"
    )
    engine = prefilter.HyperscanPrefilter(ruleset.rules)
    assert list(engine.candidates(b"nothing")) == [0]
    assert list(engine.candidates(b"zz1")) == [0, 1]
    assert prefilter.best_prefilter(Ruleset(()).rules) is None


def test_a_rule_behind_a_gate_or_a_sign_is_possible_only_where_that_stands() -> None:
    """The gate's pattern is asked first; a gate's number is never given out as a rule's."""
    ruleset = parse(
        "[[rules]]\nid = 'g'\nregex = 'x?[0-9]{7}'\ngate = 'digits'\n"
        "[[rules]]\nid = 'm'\nregex = '[a-z]+@[a-z]+'\nkeywords = ['@']\n"
        "[[rules]]\nid = 'w'\nregex = '[a-z0-9]{30}'\ngate = 'long'\n"
    )
    engine = prefilter.HyperscanPrefilter(ruleset.rules)
    assert list(engine.candidates(b"123 @ x")) == []
    assert list(engine.candidates(b"1234567")) == [0]
    assert list(engine.candidates(b"a@b 1 2 3 4 5 6")) == [1]
    assert list(engine.candidates(b"a1" * 20)) == [2]


def test_the_locked_engine_is_sound() -> None:
    """The version that the lock file names finds what Vectorscan 5.4.12 misses."""
    assert prefilter.is_sound()


def test_every_own_rule_runs_on_the_engine() -> None:
    """None is refused or fails its examples, else the fast path would be slow."""
    assert list(prefilter.HyperscanPrefilter(RULES.rules).candidates(b"")) == []
