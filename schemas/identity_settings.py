"""Settings of identity: the gateway keys' file, and the issuers whose tokens are taken."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)

__all__ = ["ClaimPatterns", "Identity", "OidcIssuer"]

MAX_RULES = 64


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def _patterns(value: object) -> object:
    """YAML writes a flag or a number without quotes, and one pattern without a list."""
    items = value if isinstance(value, list | tuple) else [value]
    if not 0 < len(items) <= MAX_RULES:
        raise ValueError(f"expected 1 to {MAX_RULES} patterns, got {len(items)}")
    return tuple(
        str(item).lower() if isinstance(item, bool) else str(item) if isinstance(item, int) else item
        for item in items
    )


_Pattern = Annotated[str, StringConstraints(min_length=1, max_length=512)]
_Written = str | bool | int
ClaimPatterns = Annotated[
    tuple[_Pattern, ...],
    BeforeValidator(_patterns, json_schema_input_type=_Written | list[_Written]),
]
"""Values with `*`, `?` and `[...]`, of which one must fit; case counts."""
_ClaimPath = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_Prefix = Annotated[str, StringConstraints(max_length=64)]


class OidcIssuer(_Config):
    """One issuer whose tokens are taken as identity."""

    issuer: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """The `iss` of its tokens, exactly."""
    audience: Annotated[str, StringConstraints(min_length=1)]
    """The `aud` that a token for this gateway carries."""
    jwks_url: str | None = None
    """Where its keys are; found by discovery where it is not given."""
    ca_file: str | None = None
    """PEM of the authority that signed the issuer's certificate; the system's store by default."""
    algorithms: tuple[
        Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"], ...
    ] = (
        "RS256",
        "ES256",
        "EdDSA",
    )
    """Signature algorithms that are taken; never `none`, never one with a shared secret."""
    keys_seconds: Annotated[int, Field(ge=1, le=3600)] = 300
    """A key that the issuer withdraws is out of force here after so many seconds."""
    principal_claim: str = "sub"
    """The claim that becomes the principal."""
    principal_prefix: _Prefix = ""
    """Put before it, so that two issuers cannot name the same principal."""
    groups_claim: _ClaimPath | None = None
    """The claim with the groups, a text or a list; dots lead inwards, as in `realm_access.roles`."""
    groups_prefix: _Prefix = ""
    """Put before each group."""
    require: Annotated[dict[_ClaimPath, ClaimPatterns], Field(max_length=MAX_RULES)] = Field(
        default_factory=dict
    )
    """Claims that a token must have, each with the value it must have or a pattern (`repo:acme/*`)."""
    leeway: Annotated[int, Field(ge=0, le=120)] = 30
    """Seconds of clock skew that `exp`, `nbf` and `iat` forgive."""
    cli_client_id: str | None = None
    """The public client of `tacho login`; it needs the device authorization grant."""
    cli_scopes: Annotated[str, StringConstraints(max_length=512)] = "openid"
    """What `tacho login` asks for, with spaces between."""


class Identity(_Config):
    """Who may come in. No identity means 401 in the protocol's own shape."""

    api_keys_file: str = "keys/api-keys.yaml"
    """Hashes of the gateway keys that `tacho keys create` made."""
    oidc: tuple[OidcIssuer, ...] = ()
    """Issuers whose bearer tokens are taken."""

    @field_validator("oidc")
    @classmethod
    def _distinct(cls, value: tuple[OidcIssuer, ...]) -> tuple[OidcIssuer, ...]:
        twice = [name for name, count in Counter(item.issuer for item in value).items() if count > 1]
        if twice:
            raise ValueError(f"issuer named twice: {', '.join(twice)}")
        return value
