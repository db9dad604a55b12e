"""Rule files in gitleaks' layout load; what is wrong in them is named with file, line and rule."""

from pathlib import Path

import pytest

from tachograph.processors.masking.errors import RuleError
from tachograph.processors.masking.limits import Deadline
from tachograph.processors.masking.ruleset import STRICT, load, merged, own_rules, parse
from tachograph.processors.masking.samples import filled
from tachograph.processors.masking.scan import Scanner

OWN = own_rules()
FOREIGN = """
title = "an organisation's own"
[extend]
useDefault = true
[allowlist]
description = "global"
regexes = ['''EXAMPLE''']
paths = ['''(.*?)(jpg|gif)''']
[[rules]]
id = "acme"
description = "Acme key"
regex = '''(?i)acme_([a-z0-9]{16})\\b'''
secretGroup = 1
entropy = 3
keywords = ["acme_"]
path = '''x'''
[[rules.allowlists]]
condition = "AND"
regexTarget = "line"
regexes = ['''no-mask''']
stopwords = ["aaaa"]
[[rules]]
id = "only-a-path"
path = '''id_rsa'''
"""


def test_the_own_pack_is_large_and_whole() -> None:
    """At least a hundred rules, none refused, ids unique, every one with a description and a marker type."""
    assert len(OWN.rules) >= 150
    assert OWN.refused == ()
    assert len({rule.id for rule in OWN.rules}) == len(OWN.rules)
    assert all(rule.description and rule.type.replace("_", "").isalnum() for rule in OWN.rules)


@pytest.mark.parametrize("rule", OWN.rules, ids=lambda rule: rule.id)
def test_each_rule_finds_its_examples_and_nothing_else(rule: object) -> None:
    """Every example in eight different fillings, no counter-example in any."""
    from tachograph.processors.masking.ruleset import Rule, Ruleset

    assert isinstance(rule, Rule)
    assert rule.examples
    assert rule.counterexamples
    scanner = Scanner(Ruleset((rule,)))
    for seed in range(8):
        for template in rule.examples:
            assert scanner.scan(filled(template, seed).encode(), Deadline.after(60)), (template, seed)
        for template in rule.counterexamples:
            assert not scanner.scan(filled(template, seed).encode(), Deadline.after(60)), (template, seed)


def test_a_gitleaks_file_loads(tmp_path: Path) -> None:
    """Groups, entropy, keywords and allow-lists are read; a path rule is refused by name."""
    file = tmp_path / "gitleaks.toml"
    file.write_text(FOREIGN)
    ruleset = load([file], own=False)
    (rule,) = ruleset.rules
    assert (rule.group, rule.entropy, rule.keywords, rule.type) == (1, 3.0, ("acme_",), "ACME")
    assert [one.rule for one in ruleset.refused] == ["only-a-path"]
    assert ruleset.allowlists[0].rules == ("acme",)
    scanner = Scanner(ruleset)
    text = b"acme_k3j9x2m7q1w8e5r4"
    assert [(h.start, h.end) for h in scanner.scan(text, Deadline.after(9))] == [(5, 21)]
    assert not scanner.scan(b"acme_aaaabbbb12345678 no-mask", Deadline.after(9))


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("[[rules]]\nid = 'a'\nregex = '('", 2, "rule 'a': regex: expected RE2 syntax"),
        ("[[rules]]\nid = 'a'\nregex = '(?=x)y'", 2, "rule 'a': regex: expected RE2 syntax"),
        ("\n\n[[rules]\n", 3, "expected TOML"),
        ("[[rules]]\nregex = 'a'", 1, "expected every rule to have an id"),
        ("[[rules]]\nid = 'a'\nregex = 'x'\nsecretGroup = 2", 2, "secretGroup: expected 0 to 0, got 2"),
        ("[[rules]]\nid = 'a'\nregex = 'x'\nvalidators = ['no']", 2, "validators: expected one of"),
        ("[[rules]]\nid = 'a'\nregex = 'x'\nnot_after = ['(']", 2, "regex: expected RE2 syntax"),
        ("[[rules]]\nid = 'a'\nregex = 'x'\nnot_after = 'x'", 2, "not_after: expected a list of strings"),
        ("[[rules]]\nid = 'a'\nregex = 'x'\nnot_within = ['(']", 2, "regex: expected RE2 syntax"),
        ("[[rules]]\nid = 'a'\nregex = 'x'\nentropy = 'high'", 2, "entropy: expected float, got str"),
        ("[[rules]]\nid = 'a'\nregex = 'x'\nkeywords = 'k'", 2, "keywords: expected a list of strings"),
        ("[[rules]]\nid = 'a'\nregex = 'x'\nretry = 1", 2, "retry: expected true or false"),
        ("[[rules]]\nid = 'a'", 2, "expected a regex, got none"),
        ("rules = 3", 1, "rules: expected an array of tables"),
        ("[[allowlists]]\nregexTarget = 'file'", 1, "regexTarget: expected"),
        ("[[allowlists]]\ncondition = 'XOR'", 1, "condition: expected"),
        ("allowlist = 3", 1, "allowlist: expected a table"),
    ],
)
def test_mistakes_are_named(text: str, line: int, why: str) -> None:
    """File, line, rule, what was expected and what came."""
    with pytest.raises(RuleError) as caught:
        parse(text, "rules.toml")
    assert str(caught.value).startswith(f"rules.toml:{line}: ")
    assert why in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(RuleError, match=r"none\.toml:1: expected a readable TOML file"):
        load([tmp_path / "none.toml"])


def test_the_digest_follows_what_is_masked_and_nothing_else() -> None:
    """A changed pattern changes it; a changed description does not."""
    base = parse("[[rules]]\nid = 'a'\nregex = 'x'\ndescription = 'one'")
    words = parse("[[rules]]\nid = 'a'\nregex = 'x'\ndescription = 'two'")
    other = parse("[[rules]]\nid = 'a'\nregex = 'y'\ndescription = 'one'")
    assert base.digest == words.digest != other.digest


def test_a_later_rule_takes_the_place_of_an_earlier_one() -> None:
    """An operator can replace one of ours."""
    one, two = parse("[[rules]]\nid = 'a'\nregex = 'x'"), parse("[[rules]]\nid = 'a'\nregex = 'y'")
    assert [rule.regex for rule in merged([one, two]).rules] == ["y"]


def test_strict_rules_can_be_left_out() -> None:
    """What only looks like a secret is a choice offline."""
    loose = load(strict=False)
    assert {r.id for r in OWN.rules} - {r.id for r in loose.rules} == {
        r.id for r in OWN.rules if STRICT in r.tags
    }
