"""Issuers and their rules, as an operator writes them."""

from typing import Any

import pytest
from pydantic import ValidationError

from tachograph.schemas.config import Identity, OidcIssuer
from tachograph.schemas.identity_settings import SamlProvider

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


SAML: dict[str, Any] = {"idp_metadata": "https://idp.test/metadata", "idp_entity_id": "https://idp.test"}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Not An Address"},
        {"idp_entity_id": "two words"},
        {"idp_metadata": ""},
        {"skew": 121},
        {"metadata_seconds": 0},
        {"sha1": True},
    ],
)
def test_a_saml_provider_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    """Names, bounds, and no word for a weak algorithm."""
    assert SamlProvider.model_validate(SAML).name == "saml"
    with pytest.raises(ValidationError):
        SamlProvider.model_validate(SAML | changes)


def test_saml_providers_have_a_name_each() -> None:
    """The name is an address: two of one name would be one login."""
    both = [SAML, SAML | {"name": "second"}]
    assert len(Identity.model_validate({"saml": both}).saml) == 2
    with pytest.raises(ValidationError, match="name used twice: saml"):
        Identity.model_validate({"saml": [SAML, SAML]})
