"""A realm of Keycloak to try logins with: its clients, groups and people, over the admin API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

from tachograph.cli.stack.keycloak import ADMIN

__all__ = ["AUDIENCE", "Person", "Realm", "browser", "device", "person", "realm", "saml", "service"]

AUDIENCE: Final = "tachograph"
_SECONDS: Final = 120.0  # its first answers on a busy machine
_KEYS: Final = "org.keycloak.keys.KeyProvider"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can log in."""

    name: str
    password: str
    groups: tuple[str, ...] = ()


def service(client_id: str, secret: str) -> dict[str, Any]:
    """A program with a client id and a secret (OAuth 2.0 client credentials)."""
    return {
        "clientId": client_id,
        "secret": secret,
        "publicClient": False,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "protocolMappers": _mappers(),
    }


def device(client_id: str) -> dict[str, Any]:
    """A public client of the device grant, such as `tacho login`."""
    return {
        "clientId": client_id,
        "publicClient": True,
        "standardFlowEnabled": False,
        "attributes": {"oauth2.device.authorization.grant.enabled": "true"},
        "protocolMappers": _mappers(),
    }


def browser(client_id: str, secret: str, redirect_uri: str) -> dict[str, Any]:
    """A server whose people log in by the authorization code flow, with PKCE."""
    return {
        "clientId": client_id,
        "secret": secret,
        "publicClient": False,
        "standardFlowEnabled": True,
        "redirectUris": [redirect_uri],
        "attributes": {"pkce.code.challenge.method": "S256"},
        "protocolMappers": _mappers(),
    }


def saml(entity_id: str, acs_url: str, *, sign_assertion: bool = True) -> dict[str, Any]:
    """A SAML service provider: answered by POST, signed as a whole; the assertion in it too, or not."""
    groups = {
        "attribute.name": "groups",
        "attribute.nameformat": "Basic",
        "single": "false",
        "full.path": "false",
    }
    return {
        "clientId": entity_id,
        "protocol": "saml",
        "redirectUris": [acs_url],
        "defaultClientScopes": [],
        "attributes": {
            "saml.server.signature": "true",
            "saml.assertion.signature": str(sign_assertion).lower(),
            "saml.client.signature": "false",
            "saml.authnstatement": "true",
            "saml.force.post.binding": "true",
            "saml.signature.algorithm": "RSA_SHA256",
            "saml_force_name_id_format": "true",
            "saml_name_id_format": "email",
        },
        "protocolMappers": [
            {
                "name": "groups",
                "protocol": "saml",
                "protocolMapper": "saml-group-membership-mapper",
                "config": groups,
            }
        ],
    }


def person(somebody: Person) -> dict[str, Any]:
    """A user with a password, ready to log in."""
    return {
        "username": somebody.name,
        "enabled": True,
        "email": f"{somebody.name}@example.test",
        "emailVerified": True,
        "firstName": somebody.name,
        "lastName": "Test",
        "credentials": [{"type": "password", "value": somebody.password, "temporary": False}],
        "groups": list(somebody.groups),
    }


def realm(
    name: str,
    *,
    clients: Sequence[Mapping[str, Any]],
    people: Sequence[Person],
    services: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """The whole representation; `services` has the groups of each service client."""
    groups = {group for one in people for group in one.groups} | {
        g for told in services.values() for g in told
    }
    accounts = [
        {
            "username": f"service-account-{name}",
            "enabled": True,
            "serviceAccountClientId": name,
            "groups": list(told),
        }
        for name, told in services.items()
    ]
    return {
        "realm": name,
        "enabled": True,
        "sslRequired": "none",
        "accessTokenLifespan": 600,
        "oauth2DevicePollingInterval": 1,
        "clients": list(clients),
        "groups": [{"name": group} for group in sorted(groups)],
        "users": [*(person(one) for one in people), *accounts],
    }


class Realm:
    """One realm of a running server, seen by its administrator and by its clients."""

    def __init__(self, url: str, password: str, representation: Mapping[str, Any]) -> None:
        """Make it; raises httpx.HTTPStatusError when the server does not take it."""
        self._url = url
        self._password = password
        self._client = httpx.Client(timeout=_SECONDS)
        self.name = str(representation["realm"])
        self.issuer = f"{url}/realms/{self.name}"
        self._admin("POST", "", dict(representation))

    def close(self) -> None:
        """Remove it."""
        self._admin("DELETE", f"/{self.name}")
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def token(self, client_id: str, secret: str) -> str:
        """An access token for a service client."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        answer = self._client.post(f"{self.issuer}/protocol/openid-connect/token", data=form)
        return str(answer.raise_for_status().json()["access_token"])

    def signing_keys(self) -> dict[str, str]:
        """Key id to provider id, of the keys that sign with RS256 now."""
        keys = self._admin("GET", f"/{self.name}/keys").json()["keys"]
        return {
            key["kid"]: key["providerId"]
            for key in keys
            if key.get("algorithm") == "RS256" and key["use"] == "SIG"
        }

    def add_key(self, priority: int) -> None:
        """A fresh signing key; the one of the highest priority signs."""
        config = {
            "priority": [str(priority)],
            "enabled": ["true"],
            "active": ["true"],
            "algorithm": ["RS256"],
        }
        told = {
            "name": f"rsa-{priority}",
            "providerId": "rsa-generated",
            "providerType": _KEYS,
            "config": config,
        }
        self._admin("POST", f"/{self.name}/components", told)

    def remove_key(self, provider_id: str) -> None:
        """Withdraw a key: it signs nothing any more, and is not published."""
        self._admin("DELETE", f"/{self.name}/components/{provider_id}")

    def _admin(self, method: str, path: str, body: object = None) -> httpx.Response:
        form = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": ADMIN,
            "password": self._password,
        }
        login = self._client.post(f"{self._url}/realms/master/protocol/openid-connect/token", data=form)
        headers = {"authorization": f"Bearer {login.raise_for_status().json()['access_token']}"}
        answer = self._client.request(method, f"{self._url}/admin/realms{path}", json=body, headers=headers)
        return answer.raise_for_status()


def _mappers() -> list[dict[str, Any]]:
    """The gateway's audience, and groups by their names, in every token."""
    audience = {"included.custom.audience": AUDIENCE, "access.token.claim": "true", "id.token.claim": "false"}
    groups = {
        "claim.name": "groups",
        "full.path": "false",
        "access.token.claim": "true",
        "id.token.claim": "true",
    }
    return [
        _mapper("audience", "oidc-audience-mapper", audience),
        _mapper("groups", "oidc-group-membership-mapper", groups),
    ]


def _mapper(name: str, kind: str, config: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}
