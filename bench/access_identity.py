"""What it costs to know who is asking: a token and a key, seen before and not. Part of `make bench-access`.

Times are CPU time of this process for one check, the header's place and its removal not counted: a token of
Keycloak's size, RS256. "Cached" is a token that was verified before and is still good.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from tachograph.identity.api_keys import ApiKeyFile
from tachograph.identity.oidc import TokenVerifier
from tachograph.schemas.config import OidcIssuer

__all__ = ["BARS", "identity"]

BARS = {"cached_token_us": 5.0}
CALLS = 20_000
UNCACHED = 300
ROUNDS = 5
ISSUER = "https://id.example.test/realms/agents"


def identity() -> dict[str, float]:
    """`cached_token_us`, `uncached_token_us` and `api_key_us`."""
    return asyncio.run(_tokens()) | _keys()


async def _tokens() -> dict[str, float]:
    key = RSAKey.generate_key(2048, {"kid": "k"})
    verifier = _verifier(key)
    made = [_token(key, number) for number in range(UNCACHED)]
    await verifier.verify(made[0])  # fetches the keys
    start = time.process_time_ns()
    for text in made[1:]:
        await verifier.verify(text)
    each = (time.process_time_ns() - start) / (UNCACHED - 1) / 1000
    proof = verifier.remembered(made[-1])
    assert proof is not None
    assert proof.groups
    figures = {
        "cached_token_us": _each_us(lambda: verifier.remembered(made[-1])),
        "uncached_token_us": round(each, 1),
        "token_bytes": float(len(made[-1])),
    }
    await verifier.close()
    return figures


def _keys() -> dict[str, float]:
    text = f"tacho_abcd2345_{'k' * 43}"
    entry = {"id": "abcd2345", "name": "bot", "created": "2026-01-01T00:00:00Z"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys.yaml"
        path.touch(0o600)
        path.write_text(json.dumps([entry | {"hash": hashlib.sha256(text.encode()).hexdigest()}]))
        keys = ApiKeyFile(path, now=lambda: datetime.now(UTC), monotonic=time.monotonic)
        return {"api_key_us": _each_us(lambda: keys.verify(text))}


def _verifier(key: RSAKey) -> TokenVerifier:
    published = {"keys": [key.as_dict(private=False)]}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=published))
    settings = OidcIssuer(
        issuer=ISSUER,
        audience="tachograph",
        jwks_url=f"{ISSUER}/keys",
        groups_claim="realm_access.roles",
        require={"typ": ("Bearer",)},
    )
    return TokenVerifier(
        [settings],
        lambda _: httpx.AsyncClient(transport=transport),
        now=time.time,
        monotonic=time.monotonic,
    )


def _token(key: RSAKey, number: int) -> str:
    claims = {
        "iss": ISSUER,
        "aud": ["tachograph", "account"],
        "sub": "ba98c8af-8acc-4f49-86d1-47b63305cbab",
        "exp": int(time.time()) + 3600,
        "iat": int(time.time()),
        "jti": f"trrtcc:22f99755-9eb9-2104-d3ae-{number:012}",
        "typ": "Bearer",
        "azp": "agent",
        "acr": "1",
        "scope": "profile email",
        "email_verified": False,
        "preferred_username": "service-account-agent",
        "realm_access": {"roles": ["agents", "offline_access", "uma_authorization"]},
    }
    return jwt.encode({"alg": "RS256", "kid": "k"}, claims, key)


def _each_us(run: Callable[[], object]) -> float:
    """CPU microseconds of one call: the median of a few rounds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        for _ in range(CALLS):
            run()
        rounds.append((time.process_time_ns() - start) / CALLS / 1000)
    return round(statistics.median(rounds), 2)
