"""Errors say where and what, and never hold a value."""

from tachograph.processors.masking.errors import (
    ConfigurationError,
    MaskingError,
    PseudonymKeyError,
    RuleError,
    Withheld,
)


def test_a_rule_error_names_file_line_and_rule() -> None:
    """An operator can go straight there."""
    error = RuleError("expected a regex, got none", file="a.toml", line=7, rule="x")
    assert str(error) == "a.toml:7: rule 'x': expected a regex, got none"


def test_the_tree_is_as_drawn() -> None:
    """The operator's faults and the content's are apart."""
    assert issubclass(RuleError, ConfigurationError)
    assert issubclass(PseudonymKeyError, ConfigurationError)
    assert issubclass(Withheld, MaskingError)
    assert not issubclass(Withheld, ConfigurationError)


def test_a_refusal_is_its_reason() -> None:
    """Safe to store and to count."""
    assert Withheld("depth").reason == str(Withheld("depth")) == "depth"
