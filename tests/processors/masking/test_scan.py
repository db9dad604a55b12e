"""A rule's meaning: its re2 matches around its keywords, then groups, entropy, validators and allow-lists."""

import time

import pytest

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.limits import Deadline
from tachograph.processors.masking.ruleset import parse
from tachograph.processors.masking.scan import Scanner


def scanner(*fields: str) -> Scanner:
    return Scanner(parse("[[rules]]\nid = 'a'\n" + "\n".join(fields)))


def spans(one: Scanner, text: bytes) -> list[bytes]:
    return [text[h.start : h.end] for h in one.scan(text, Deadline.after(60))]


def test_the_first_group_that_holds_something_is_the_secret() -> None:
    """gitleaks' choice, and the named group where one is named."""
    assert spans(scanner("regex = 'a(x)?(y)'"), b"ay axy") == [b"y", b"x"]
    assert spans(scanner("regex = 'a(x)(y)'", "secretGroup = 2"), b"axy") == [b"y"]


def test_without_its_keyword_a_rule_is_silent() -> None:
    """The gate is part of the meaning; case does not matter to it."""
    one = scanner("regex = '(?i)tok=([a-z]+)'", "keywords = ['TOK']")
    assert spans(one, b"ToK=abc") == [b"abc"]
    assert spans(scanner("regex = 'x=([a-z]+)'", "keywords = ['tok']"), b"x=abc") == []


def test_a_match_longer_than_its_window_is_taken_whole() -> None:
    """Half a secret is a leak."""
    one = scanner("regex = 'key=([a-z]+)'", "keywords = ['key']", "window = 16")
    text = b"." * 500 + b"key=" + b"z" * 5000 + b"."
    assert spans(one, text) == [b"z" * 5000]


def test_a_refused_match_can_be_looked_at_again() -> None:
    """Digits before a card number do not hide it."""
    one = scanner("regex = '([0-9][0-9 ]{14,20}[0-9])'", "validators = ['luhn']", "retry = true")
    assert spans(one, b"12 4111 1111 1111 1111 9") == [b"4111 1111 1111 1111"]


@pytest.mark.parametrize("target", ["secret", "match", "line"])
def test_allow_lists_look_where_they_say(target: str) -> None:
    """At the secret, the match or its line."""
    text = {"secret": b"k=okay", "match": b"k=okay", "line": b"fine: k=abcd"}[target]
    word = {"secret": "^okay$", "match": "^k=okay$", "line": "^fine"}[target]
    one = scanner(
        "regex = 'k=([a-z]{4})'", "[[rules.allowlists]]", f"regexTarget = '{target}'", f"regexes = ['{word}']"
    )
    assert spans(one, text) == []
    assert spans(one, b"x k=else") == [b"else"]


def test_what_stands_before_can_make_it_none() -> None:
    """`not_after` sees the text up to the secret, not the secret and not what follows."""
    one = scanner("regex = 'n([0-9]{4})'", "not_after = ['count: n$', '^BEGIN']")
    assert spans(one, b"count: n1234 count: xn5678 n9999count: n") == [b"5678", b"9999"]
    assert spans(one, b"BEGIN x n1234") == []
    assert spans(one, b"BEGIN" + b"x" * 5000 + b"n1234") == [b"1234"]


def test_a_part_of_something_longer_is_none() -> None:
    """`not_within` sees a little to both sides; what is no longer than the secret does not count."""
    one = scanner("regex = '([0-9]{4})'", r"not_within = ['[a-f]{2}[0-9]{4}[a-f]', '[0-9]{4}']")
    assert spans(one, b"ab1234c 5678 ab9012") == [b"5678", b"9012"]


def test_an_allow_list_that_wants_a_path_never_allows() -> None:
    """A wire record has none; AND with the unknown is not true."""
    one = scanner(
        "regex = 'k=([a-z]{4})'",
        "[[rules.allowlists]]",
        "condition = 'AND'",
        "paths = ['x']",
        "regexes = ['okay']",
    )
    assert spans(one, b"k=okay") == [b"okay"]


def test_low_entropy_is_no_finding() -> None:
    """The bound is exclusive, as in gitleaks."""
    assert spans(scanner("regex = '[a-z]{8}'", "entropy = 2.5"), b"aaaabbbb qwertyui") == [b"qwertyui"]


def test_catastrophic_patterns_are_harmless() -> None:
    """What takes other engines for ever is linear here."""
    one = scanner("regex = '(a+)+$|(x+x+)+y|([a-z]*)*!'")
    start = time.process_time()
    one.scan(b"a" * 20_000 + b"!" + b"x" * 20_000, Deadline.after(60))
    assert time.process_time() - start < 10


def test_a_rule_that_matches_everything_masks_everything() -> None:
    """And a rule that matches nothing at all, at every place, ends."""
    assert spans(scanner(r"regex = '(?s).+'"), b"abc\ndef") == [b"abc\ndef"]
    assert spans(scanner("regex = 'x*'"), b"abc") == []


def test_time_is_bounded() -> None:
    """The deadline is looked at between rules."""
    ticks = iter(range(100))
    with pytest.raises(Withheld, match="timeout"):
        scanner("regex = 'a'").scan(b"a", Deadline.after(0.5, lambda: float(next(ticks))))
