"""SAML in the console: from the button to the session, through the provider's form."""

import base64
import importlib.util
import sys
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from lxml import etree

from tachograph.console.login import Returned
from tachograph.console.saml_login import SamlLogin
from tachograph.identity.errors import IssuerFailed, LoginRefused
from tachograph.identity.saml.service_provider import Chance
from tachograph.schemas.event import PrincipalKind
from tachograph.schemas.identity_settings import SamlProvider

_PROVIDER = Path(__file__).parents[1] / "identity" / "saml" / "conftest.py"
_spec = importlib.util.spec_from_file_location("saml_provider_of_the_tests", _PROVIDER)
assert _spec is not None
assert _spec.loader is not None
provider = importlib.util.module_from_spec(_spec)
sys.modules["saml_provider_of_the_tests"] = provider  # dataclasses look for it there
_spec.loader.exec_module(provider)


def login(folder: Path, **changes: Any) -> SamlLogin:
    (folder / "idp.xml").write_bytes(provider.Idp().metadata())
    told = {"idp_metadata": "idp.xml", "idp_entity_id": "https://idp.test", "groups_attribute": "groups"}
    return SamlLogin(
        SamlProvider.model_validate(told | changes),
        base=folder,
        public_url=provider.URL,
        chance=Chance(now=lambda: provider.NOW),
    )


def answer(url: str, **changes: Any) -> dict[str, str]:
    """The form with which the provider answers the request in this address."""
    query = parse_qs(urlsplit(url).query)
    request = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), wbits=-15))
    response = etree.tostring(provider.Idp().response(request.get("ID"), **changes))
    return {
        "SAMLResponse": base64.b64encode(response).decode(),
        "RelayState": query["RelayState"][0],
    }


async def test_what_is_posted_back_names_the_person(tmp_path: Path) -> None:
    """The attempt that `begin` left is what the answer must fit."""
    method = login(tmp_path)
    attempt = await method.begin()
    assert method.takes_forms
    proof = await method.finish(attempt.kept, Returned({}, answer(attempt.url)))
    assert (proof.principal.id, proof.principal.kind) == ("ada@corp.test", PrincipalKind.SAML)
    assert proof.groups == {"reviewers", "ops"}
    await method.close()


async def test_nothing_else_is_an_attempt_or_an_answer(tmp_path: Path) -> None:
    """What another way kept, no form at all, a form in the address."""
    method = login(tmp_path)
    attempt = await method.begin()
    with pytest.raises(LoginRefused):
        await method.finish("kept", Returned({}, answer(attempt.url)))
    with pytest.raises(LoginRefused):
        await method.finish(attempt.kept, Returned(answer(attempt.url)))
    await method.close()


def test_a_ca_file_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    """Not at the first login."""
    with pytest.raises(IssuerFailed, match="PEM"):
        login(tmp_path, ca_file="missing.pem")


@pytest.fixture
def browser(world: Any, tmp_path: Path) -> httpx.AsyncClient:
    """A browser at a console, one of whose logins is this one."""
    method = login(tmp_path)
    for name in ("begin", "finish", "metadata"):
        setattr(world.posting, name, getattr(method, name))
    return world.browser_of().client  # type: ignore[no-any-return]


async def begun(browser: httpx.AsyncClient) -> str:
    """The address that the button leads to."""
    left = await browser.get("/login/saml?next=/history")
    assert left.status_code == 303
    return str(left.headers["location"])


async def posted(browser: httpx.AsyncClient, form: dict[str, str]) -> httpx.Response:
    """What comes of the provider's form: taken from another site, looked at on our own next step."""
    taken = await browser.post("/login/saml/back", data=form, headers={"origin": "https://idp.test"})
    assert taken.status_code == 303
    return await browser.get(taken.headers["location"])


async def test_a_person_is_logged_in_through_the_pages(browser: httpx.AsyncClient) -> None:
    """And lands where they wanted to go, known by the name in the assertion."""
    landed = await posted(browser, answer(await begun(browser)))
    assert (landed.status_code, landed.headers["location"]) == (303, "/history")
    assert "ada@corp.test" in (await browser.get("/history")).text


async def test_an_answer_is_for_the_browser_that_asked(browser: httpx.AsyncClient, world: Any) -> None:
    """Somebody else's answer logs nobody in: not in another browser, and not over another's attempt."""
    theirs = answer(await begun(browser))
    stranger = world.browser_of().client
    assert (await posted(stranger, theirs)).status_code == 403
    await begun(stranger)
    assert (await posted(stranger, theirs)).status_code == 403
    assert (await stranger.get("/")).status_code == 303


async def test_a_refused_assertion_says_why_and_no_more(browser: httpx.AsyncClient) -> None:
    """The reason is in our words; the same answer, made good, is too late."""
    url = await begun(browser)
    refused = await posted(browser, answer(url, audience="https://other.test"))
    assert refused.status_code == 403
    assert "for another audience" in refused.text
    assert "ada@corp.test" not in refused.text
    assert (await posted(browser, answer(url))).status_code == 403


async def test_the_providers_administrator_finds_our_metadata(browser: httpx.AsyncClient) -> None:
    """Under the entity id; a login without any says so."""
    told = await browser.get("/login/saml/metadata")
    assert told.headers["content-type"] == "application/samlmetadata+xml"
    assert b"/login/saml/back" in told.content
    assert (await browser.get("/login/sso/metadata")).status_code == 404
