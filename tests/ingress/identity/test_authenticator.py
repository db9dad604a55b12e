"""Conversations at the door: what the agent shows, who it is then, what the target and the record see."""

import hashlib
from pathlib import Path

import pytest
import yaml

from tachograph.ingress.errors import KeysUnreadable, Unauthenticated
from tachograph.ingress.identity.authenticator import ANONYMOUS, Authenticator
from tachograph.schemas.config import Identity, OidcIssuer
from tachograph.schemas.event import PrincipalKind

KEY = "tacho_abcd2345_" + "k" * 43
BAD = "tacho_abcd2345_" + "b" * 43
THEIRS = ("Authorization", "Bearer sk-theirs")
TOKEN_OF_OURS = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0In0."  # alg none, iss issuer.test
TOKEN_OF_OTHERS = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL290aGVyLnRlc3QifQ."


@pytest.fixture
def authenticator(tmp_path: Path) -> Authenticator:
    entry = {
        "id": "abcd2345",
        "name": "bot",
        "hash": hashlib.sha256(KEY.encode()).hexdigest(),
        "created": "2026-01-01T00:00:00Z",
    }
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump([entry]))
    oidc = (OidcIssuer(issuer="https://issuer.test", audience="a"),)
    return Authenticator(Identity(api_keys_file="keys.yaml", oidc=oidc), base=tmp_path)


async def test_the_first_gateway_credential_decides(authenticator: Authenticator) -> None:
    """The agent's own token is passed over, the gateway key is found behind it and taken out."""
    who = await authenticator.authenticate((THEIRS, ("X-Api-Key", KEY), ("Accept", "*/*")))
    assert (who.principal.id, who.principal.kind) == ("bot", PrincipalKind.API_KEY)
    assert who.forward == (THEIRS, ("Accept", "*/*"))
    assert who.recorded == (THEIRS, ("X-Api-Key", "[gateway-credential]"), ("Accept", "*/*"))


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((), "no gateway credential"),
        ((THEIRS,), "no gateway credential"),
        ((("Authorization", f"Bearer {TOKEN_OF_OTHERS}"),), "no gateway credential"),
        ((("Authorization", f"Bearer {TOKEN_OF_OURS}"),), "algorithm"),
        ((("X-Tacho-Key", "guess"),), "not a signed token"),
        ((("X-Tacho-Key", TOKEN_OF_OTHERS),), "issuer is not configured"),
        ((("X-Tacho-Key", BAD), ("X-Api-Key", KEY)), "not known"),
        ((("Authorization", f"Bearer {BAD}"), ("X-Api-Key", KEY)), "not known"),
    ],
    ids=[
        "nothing",
        "theirs",
        "their token",
        "forged",
        "guess",
        "other issuer",
        "bad first",
        "bad bearer first",
    ],
)
async def test_no_good_credential_is_no_identity(
    authenticator: Authenticator, headers: tuple[tuple[str, str], ...], reason: str
) -> None:
    """A bad gateway credential is not made good by another one behind it; the reason shows neither."""
    with pytest.raises(Unauthenticated, match=reason) as refusal:
        await authenticator.authenticate(headers)
    assert not [value for _, value in headers if value in str(refusal.value)]


def test_a_refused_request_is_recorded_without_its_credentials(authenticator: Authenticator) -> None:
    """Whatever an unknown sender put into the places is not in the record."""
    headers = (THEIRS, ("X-Tacho-Key", BAD), ("Accept", "*/*"))
    assert authenticator.redact(headers) == (
        ("Authorization", "Bearer [gateway-credential]"),
        ("X-Tacho-Key", "[gateway-credential]"),
        ("Accept", "*/*"),
    )


def test_nobody_is_anonymous() -> None:
    """Unknown senders have a principal of their own, so that their requests can be on record."""
    assert (ANONYMOUS.id, ANONYMOUS.kind) == ("anonymous", PrincipalKind.ANONYMOUS)


def test_a_broken_key_file_stops_the_start(tmp_path: Path) -> None:
    """A gateway that cannot tell who is who does not serve."""
    (tmp_path / "keys.yaml").write_text("{")
    with pytest.raises(KeysUnreadable):
        Authenticator(Identity(api_keys_file="keys.yaml"), base=tmp_path)
