"""What wraps data keys is named in full, or refused when the configuration is read."""

from typing import Any

import pytest
from pydantic import ValidationError

from tachograph.schemas.config import Configuration
from tachograph.schemas.key_settings import Keys, Transit

VAULT = {"vault": {"address": "https://vault.test", "auth": {"method": "token", "secret": {"env": "T"}}}}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"keys": {"kek_provider": "vault_transit"}, "credentials": VAULT}, "does not name its key"),
        ({"keys": {"transit": {"key": "raw"}}}, "does not say how to reach it"),
        ({"keys": {"kek_provider": "kms"}}, "vault_transit"),
        ({"keys": {"transit": {"key": "a/b"}}, "credentials": VAULT}, "pattern"),
        ({"keys": {"transit": {"key": ".."}}, "credentials": VAULT}, "pattern"),
        ({"keys": {"transit": {"key": "raw", "mount": "../sys"}}, "credentials": VAULT}, "without"),
    ],
)
def test_half_a_provider_is_refused(settings: dict[str, Any], reason: str) -> None:
    """With what is missing."""
    with pytest.raises(ValidationError, match=reason):
        Configuration.model_validate(settings)


def test_a_key_file_is_the_default() -> None:
    """As ever."""
    assert (Keys().kek_provider, Keys().transit) == ("file", None)
    named = Configuration.model_validate({"keys": {"transit": {"key": "raw"}}, "credentials": VAULT})
    assert named.keys.transit == Transit(key="raw", mount="transit")
