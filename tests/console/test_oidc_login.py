"""Login at an issuer: what goes there, and who comes back. The flow itself is identity's and tested there."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tachograph.console.login import Returned
from tachograph.console.oidc_login import OidcLogin
from tachograph.identity.errors import LoginRefused
from tachograph.schemas.config import OidcIssuer
from tachograph.schemas.console_settings import ConsoleLogin

ISSUER = "http://127.0.0.1:1/realm"


@pytest.fixture
async def login(tmp_path: Path) -> Any:
    told = ConsoleLogin(issuer=ISSUER, client_id="console", label="Work")
    made = OidcLogin(
        told, OidcIssuer(issuer=ISSUER, audience="gw"), base=tmp_path, public_url="https://c.example"
    )
    asked: list[str] = []

    def take(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(
            200,
            json={
                "issuer": ISSUER,
                "jwks_uri": f"{ISSUER}/keys",
                "authorization_endpoint": f"{ISSUER}/auth",
                "token_endpoint": f"{ISSUER}/token",
            },
        )

    await made._client.aclose()
    made._client = httpx.AsyncClient(transport=httpx.MockTransport(take))
    yield made, asked
    await made.close()


async def test_the_browser_is_sent_off_with_state_nonce_and_challenge(login: Any) -> None:
    """To our redirect URI; the issuer is asked once for where that is."""
    made, asked = login
    first, second = await made.begin(), await made.begin()
    query = parse_qs(urlsplit(first.url).query)
    assert query["redirect_uri"] == ["https://c.example/login/oidc/back"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["state"] != parse_qs(urlsplit(second.url).query)["state"]
    assert len(asked) == 1


async def test_an_answer_to_another_attempt_is_refused(login: Any) -> None:
    """A wrong state, no state, and what this way did not keep."""
    made, _ = login
    begun = await made.begin()
    for kept, query in ((begun.kept, {"state": "x", "code": "c"}), (begun.kept, {}), ("else", {})):
        with pytest.raises(LoginRefused):
            await made.finish(kept, Returned(query))
