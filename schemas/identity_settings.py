"""Settings of identity: the gateway keys' file, issuers whose tokens are taken, SAML providers for people."""

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

__all__ = ["ClaimPatterns", "Identity", "OidcIssuer", "SamlProvider"]

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


_EntityId = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^\S+$")]
"""SAML core, 8.3.6: a URI of at most 1024 characters; a principal's issuer has 512 at most."""


class SamlProvider(_Config):
    """One SAML 2.0 identity provider by which people log in to the console."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = "saml"
    """In the address of this login; responses come to `<console's public_url>/login/<name>/back`."""
    label: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "Single sign-on (SAML)"
    """What the button says."""
    entity_id: _EntityId | None = None
    """What the provider knows the console by; `<public_url>/login/<name>/metadata` by default."""
    idp_metadata: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    """The provider's metadata: an `https://` address, or a file."""
    idp_entity_id: _EntityId
    """The provider's entity id, exactly: the issuer of everybody who logs in by it."""
    ca_file: str | None = None
    """PEM of the authority that signed the address's certificate; the system's store by default."""
    metadata_seconds: Annotated[int, Field(ge=1, le=86400)] = 300
    """A certificate that the provider withdraws is out of force here after so many seconds."""
    assertion_signed: bool = False
    """Whether the assertion itself must be signed; else a signature over the whole response is enough."""
    principal_attribute: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """The attribute that becomes the principal; the subject's name identifier by default."""
    principal_prefix: _Prefix = ""
    """Put before it."""
    groups_attribute: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """The attribute whose values are the groups."""
    groups_prefix: _Prefix = ""
    """Put before each group."""
    skew: Annotated[int, Field(ge=0, le=120)] = 30
    """Seconds of clock skew that are forgiven."""


class Identity(_Config):
    """Who may come in. No identity means 401 in the protocol's own shape."""

    api_keys_file: str = "keys/api-keys.yaml"
    """Hashes of the gateway keys that `tacho keys create` made."""
    oidc: tuple[OidcIssuer, ...] = ()
    """Issuers whose bearer tokens are taken."""
    saml: Annotated[tuple[SamlProvider, ...], Field(max_length=16)] = ()
    """Providers by which people log in to the console."""

    @field_validator("oidc")
    @classmethod
    def _distinct(cls, value: tuple[OidcIssuer, ...]) -> tuple[OidcIssuer, ...]:
        twice = [name for name, count in Counter(item.issuer for item in value).items() if count > 1]
        if twice:
            raise ValueError(f"issuer named twice: {', '.join(twice)}")
        return value

    @field_validator("saml")
    @classmethod
    def _distinct_names(cls, value: tuple[SamlProvider, ...]) -> tuple[SamlProvider, ...]:
        twice = [name for name, count in Counter(item.name for item in value).items() if count > 1]
        if twice:
            raise ValueError(f"name used twice: {', '.join(twice)}")
        return value
