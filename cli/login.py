"""`tacho login|logout|whoami|token`: a person's identity on the command line, by the device grant."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tachograph.cli import settings
from tachograph.cli.errors import PartDown, Refused, WrongUse
from tachograph.cli.output import console, note, print_json
from tachograph.cli.settings import ConfigOption, JsonOption, Settings
from tachograph.cli.token_file import StoredToken, TokenFile, token_path

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import httpx

    from tachograph.identity.grants import Tokens
    from tachograph.identity.proof import Proof
    from tachograph.schemas.config import OidcIssuer

__all__ = ["current", "register"]

T = TypeVar("T")
RENEW_SECONDS = 30.0
"""A token that ends sooner is renewed before it is used."""
_pause = asyncio.sleep
IssuerOption = Annotated[
    str | None,
    typer.Option("--issuer", metavar="URL", help="Which issuer, where several have `cli_client_id`."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    panel = "Operate"
    app.command("login", rich_help_panel=panel)(login)
    app.command("logout", rich_help_panel=panel)(logout)
    app.command("whoami", rich_help_panel=panel)(whoami)
    app.command("token", rich_help_panel=panel)(token)


def login(issuer: IssuerOption = None, config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Log in at the OIDC issuer: open the address shown, enter the code, say yes."""
    told = settings.load(config)
    chosen = _chosen(told, issuer)
    tokens = _run(_login(told, chosen))
    stored = StoredToken(
        chosen.issuer,
        chosen.cli_client_id or "",
        tokens.access_token,
        tokens.refresh_token,
        tokens.expires_at,
    )
    file = _file()
    with file.held():
        file.write(stored)
    _tell(_run(_proved(told, stored)), json_output=json_output)


def logout(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Forget the login, and tell the issuer so."""
    file = _file()
    try:
        stored = file.read()
        told = settings.load(config)
        revoked = _run(_logout(told, stored))
    except (WrongUse, PartDown):
        revoked = False
    finally:
        file.delete()
    if json_output:
        print_json({"revoked": revoked})
        return
    note("Logged out." if revoked else "Logged out here; the issuer was not told.")


def whoami(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Show who the gateway takes you for: the token is checked as the gateway checks it."""
    told = settings.load(config)
    _tell(_run(_proved(told, current(told))), json_output=json_output)


def token(config: ConfigOption = None, json_output: JsonOption = False) -> None:
    """Print an access token that is good now, for an agent's environment; it is a secret."""
    stored = current(settings.load(config))
    if json_output:
        print_json({"access_token": stored.access_token, "expires_at": stored.expires_at})
        return
    console().print(stored.access_token, markup=False, soft_wrap=True)


def current(told: Settings) -> StoredToken:
    """The login's token, renewed where it is about to end; raises Refused when nobody is logged in."""
    file = _file()
    with file.held():
        stored = file.read()
        if stored.expires_at - RENEW_SECONDS > time.time():
            return stored
        if stored.refresh_token is None:
            raise Refused("the login has ended: run `tacho login`")
        fresh = _run(_renewed(told, stored))
        renewed = StoredToken(
            stored.issuer, stored.client_id, fresh.access_token, fresh.refresh_token, fresh.expires_at
        )
        file.write(renewed)
    return renewed


def _file() -> TokenFile:
    return TokenFile(token_path(os.environ))


def _chosen(told: Settings, wanted: str | None) -> OidcIssuer:
    able = [item for item in told.configuration.identity.oidc if item.cli_client_id]
    found = [item for item in able if wanted in (None, item.issuer)]
    if len(found) == 1:
        return found[0]
    if not able:
        raise WrongUse(f"no issuer has a `cli_client_id`: add one under identity.oidc in {told.file}")
    raise WrongUse(f"say --issuer, one of: {', '.join(item.issuer for item in able)}")


def _known(told: Settings, issuer: str) -> OidcIssuer:
    found = [item for item in told.configuration.identity.oidc if item.issuer == issuer]
    if not found:
        raise WrongUse("the login's issuer is not in this configuration: run `tacho login`")
    return found[0]


def _client(told: Settings, issuer: OidcIssuer) -> httpx.AsyncClient:
    from tachograph.identity.documents import issuer_client

    return issuer_client(told.base / issuer.ca_file if issuer.ca_file else None)


async def _login(told: Settings, issuer: OidcIssuer) -> Tokens:
    from tachograph.identity import device
    from tachograph.identity.grants import discover

    client_id = issuer.cli_client_id or ""
    async with _client(told, issuer) as client:
        provider = await discover(client, issuer.issuer)
        code = await device.begin(client, provider, client_id=client_id, scopes=issuer.cli_scopes)
        note(f"Open {code.verification_uri_complete or code.verification_uri}")
        note(f"and check that it shows the code {code.user_code}. Waiting, at most {code.expires_in} s ...")
        pace = device.Pace(_pause, time.monotonic, time.time)
        return await device.wait(client, provider, code, client_id=client_id, pace=pace)


async def _renewed(told: Settings, stored: StoredToken) -> Tokens:
    from tachograph.identity.grants import discover, renew

    async with _client(told, _known(told, stored.issuer)) as client:
        provider = await discover(client, stored.issuer)
        return await renew(
            client,
            provider,
            client_id=stored.client_id,
            refresh_token=stored.refresh_token or "",
            now=time.time(),
        )


async def _logout(told: Settings, stored: StoredToken) -> bool:
    from tachograph.identity.grants import discover, revoke

    if stored.refresh_token is None:
        return False
    async with _client(told, _known(told, stored.issuer)) as client:
        provider = await discover(client, stored.issuer)
        return await revoke(client, provider, client_id=stored.client_id, token=stored.refresh_token)


async def _proved(told: Settings, stored: StoredToken) -> Proof:
    from tachograph.identity.oidc import TokenVerifier

    issuer = _known(told, stored.issuer)
    verifier = TokenVerifier(
        [issuer], lambda item: _client(told, item), now=time.time, monotonic=time.monotonic
    )
    try:
        return await verifier.verify(stored.access_token)
    finally:
        await verifier.close()


def _run(work: Coroutine[object, object, T]) -> T:
    """The answer, or an error of ours with what to do next."""
    import structlog

    from tachograph.identity.errors import IssuerFailed, LoginRefused, Unproven

    # Standard output is the answer alone; what goes wrong on the way is for the person.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    try:
        return asyncio.run(work)
    except LoginRefused as error:
        raise Refused(f"{error.detail}; run `tacho login` to begin again") from None
    except Unproven as error:
        raise Refused(f"the gateway does not take this token: {error.detail}") from None
    except IssuerFailed as error:
        raise PartDown(f"the issuer cannot be used: {error.detail}") from None


def _tell(proof: Proof, *, json_output: bool) -> None:
    who = proof.principal
    groups = sorted(proof.groups)
    if json_output:
        print_json({"id": who.id, "issuer": who.issuer, "groups": groups, "actors": who.actors})
        return
    console().print(f"{who.id} ({who.issuer})", markup=False)
    if groups:
        console().print(f"groups: {', '.join(groups)}", markup=False)
    if who.actors:
        console().print(f"through: {', '.join(who.actors)}", markup=False)
