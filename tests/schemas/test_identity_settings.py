"""Issuers and their rules, as an operator writes them."""

from typing import Any

import pytest
from pydantic import ValidationError

from tachograph.schemas.config import Identity, OidcIssuer

BASE: dict[str, Any] = {"issuer": "https://issuer.test", "audience": "tachograph"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("acme/*", ("acme/*",)),
        (["a", "b"], ("a", "b")),
        (True, ("true",)),
        (7, ("7",)),
        ([False, 1], ("false", "1")),
    ],
)
def test_a_rule_is_one_pattern_or_several(written: object, read: tuple[str, ...]) -> None:
    """YAML's flags and numbers are what a claim says in words."""
    assert OidcIssuer.model_validate(BASE | {"require": {"claim": written}}).require == {"claim": read}


@pytest.mark.parametrize(
    "changes",
    [
        {"require": {"claim": []}},
        {"require": {"claim": None}},
        {"require": {"claim": 1.5}},
        {"require": {"claim": ""}},
        {"require": {"": "x"}},
        {"require": {f"c{number}": "x" for number in range(65)}},
        {"keys_seconds": 0},
        {"keys_seconds": 3601},
        {"leeway": 121},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"audience": ""},
        {"issuer": ""},
    ],
)
def test_what_would_weaken_the_checks_is_refused(changes: dict[str, Any]) -> None:
    """An empty rule, a key without an end, an algorithm with a shared secret."""
    with pytest.raises(ValidationError):
        OidcIssuer.model_validate(BASE | changes)


def test_an_issuer_stands_once() -> None:
    """Two sets of rules for one issuer would leave open which counts."""
    with pytest.raises(ValidationError, match="named twice"):
        Identity.model_validate({"oidc": [BASE, BASE]})
