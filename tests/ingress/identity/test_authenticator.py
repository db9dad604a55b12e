"""Conversations at the door: what the agent shows, who it is then, what the target and the record see."""

import base64
import hashlib
from pathlib import Path

import httpx
import pytest
import yaml
from joserfc import jwt
from joserfc.jwk import ECKey

from tachograph.identity.oidc import TokenVerifier
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


@pytest.mark.parametrize("place", ["Authorization", "Proxy-Authorization"])
@pytest.mark.parametrize("user", ["agent", "", "a b"])
async def test_a_user_and_password_carry_the_gateway_credential(
    authenticator: Authenticator, place: str, user: str
) -> None:
    """Where an agent can be given a proxy URL only; target and record see nothing of the key."""
    value = "Basic " + base64.b64encode(f"{user}:{KEY}".encode()).decode()
    who = await authenticator.authenticate(((place, value), ("Accept", "*/*")))
    assert who.principal.id == "bot"
    assert who.forward == (("Accept", "*/*"),)
    assert who.recorded == ((place, "Basic [gateway-credential]"), ("Accept", "*/*"))


async def test_a_keys_scope_comes_with_it(tmp_path: Path) -> None:
    """Its groups are for policies, its connections for the door."""
    scope = {"connections": ["api"], "groups": ["ops"]}
    entry = {"id": "abcd2345", "name": "bot", "created": "2026-01-01T00:00:00Z"} | scope
    entry["hash"] = hashlib.sha256(KEY.encode()).hexdigest()
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump([entry]))
    authenticator = Authenticator(Identity(api_keys_file="keys.yaml"), base=tmp_path)
    who = await authenticator.authenticate((("X-Tacho-Key", KEY),))
    assert (who.groups, who.connections, who.actors) == ({"ops"}, {"api"}, ())


async def test_a_key_is_asked_again_after_a_wait(tmp_path: Path) -> None:
    """Once it is revoked, who showed it has nothing left to show."""
    entry = {"id": "abcd2345", "name": "bot", "created": "2026-01-01T00:00:00Z"}
    entry["hash"] = hashlib.sha256(KEY.encode()).hexdigest()
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump([entry]))
    clock = iter(range(0, 100, 2))
    authenticator = Authenticator(
        Identity(api_keys_file="keys.yaml"), base=tmp_path, monotonic=lambda: float(next(clock))
    )
    who = await authenticator.authenticate((("X-Tacho-Key", KEY),))
    who.still()
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump([entry | {"revoked": "2026-01-02T00:00:00Z"}]))
    with pytest.raises(Unauthenticated, match="revoked"):
        who.still()
    assert KEY not in repr(who)


async def test_a_token_says_groups_and_actors(tmp_path: Path) -> None:
    """Also as the password of a proxy's user; verified once, then remembered."""
    key = ECKey.generate_key("P-256", {"kid": "k"})
    issuer = OidcIssuer(
        issuer="https://issuer.test", audience="a", algorithms=("ES256",), groups_claim="groups"
    )
    authenticator = Authenticator(Identity(oidc=(issuer,)), base=tmp_path)
    published = {"keys": [key.as_dict(private=False)]}
    answers = {"/.well-known/openid-configuration": {"issuer": issuer.issuer, "jwks_uri": "https://k.test/k"}}
    await authenticator.tokens.close()
    authenticator.tokens = TokenVerifier(
        [issuer],
        lambda _: httpx.AsyncClient(
            transport=httpx.MockTransport(
                lambda request: httpx.Response(200, json=answers.get(request.url.path, published))
            )
        ),
        now=lambda: 1_900_000_000.0,
        monotonic=lambda: 1000.0,
    )
    claims = {"iss": issuer.issuer, "aud": "a", "sub": "ada", "exp": 1_900_000_060, "groups": ["ops"]}
    token = jwt.encode({"alg": "ES256", "kid": "k"}, claims | {"act": {"sub": "agent"}}, key)
    basic = "Basic " + base64.b64encode(f"u:{token}".encode()).decode()
    for header in (
        ("Authorization", f"Bearer {token}"),
        ("Proxy-Authorization", basic),
        ("X-Api-Key", token),
    ):
        who = await authenticator.authenticate((header,))
        assert (who.principal.id, who.groups, who.actors) == ("ada", {"ops"}, ("agent",))
        assert who.forward == ()
        assert token not in repr(who.recorded)
    assert authenticator.tokens.remembered(token) is not None
    await authenticator.close()


CERTIFICATE = {"subject": ((("commonName", "builder"),),), "issuer": ((("commonName", "CA"),),)}


async def test_a_certificate_is_an_identity_where_no_credential_is_shown(
    authenticator: Authenticator,
) -> None:
    """The agent's own token goes on to the target; what is only for us does not."""
    who = await authenticator.authenticate((THEIRS, ("Proxy-Authorization", "Digest x")), CERTIFICATE)
    assert (who.principal.id, who.principal.kind, who.principal.issuer) == (
        "builder",
        "mtls",
        "commonName=CA",
    )
    assert who.forward == (THEIRS,)
    assert who.recorded == (THEIRS, ("Proxy-Authorization", "Digest [gateway-credential]"))


async def test_a_credential_decides_before_a_certificate(authenticator: Authenticator) -> None:
    """A good one by its own name, and a bad one is not made good by a certificate."""
    who = await authenticator.authenticate((("X-Tacho-Key", KEY),), CERTIFICATE)
    assert who.principal.id == "bot"
    for headers, certificate in (((("X-Tacho-Key", BAD),), CERTIFICATE), ((), {"subject": ()})):
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(headers, certificate)


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
