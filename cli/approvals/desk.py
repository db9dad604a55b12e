"""Who answers for approvals: the console, which knows who the reviewer is, or this machine's own key.

Both say the same things in the same shape. `LocalDesk` signs with the approvals key file: whoever can read
that is trusted to say who they are, and every record of it says `local`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from tachograph.cli.errors import PartDown, Refused, WrongUse

__all__ = ["ConsoleDesk", "Desk"]

CALL_SECONDS = 30.0
MAX_ANSWER_BYTES = 32 << 20


class Desk(Protocol):
    """What the commands ask. Approvals and grants are in the shape of `view.py`."""

    def pending(self) -> list[dict[str, Any]]: ...
    def find(self, approval: str) -> dict[str, Any]: ...
    def decide(
        self, view: Mapping[str, Any], verdict: str, *, comment: str, minutes: int
    ) -> dict[str, Any]: ...
    def grants(self) -> list[dict[str, Any]]: ...
    def revoke(self, approval: str) -> dict[str, Any]: ...
    def close(self) -> None: ...


class ConsoleDesk:
    """The console's API (docs/adr/0024): it verifies the reviewer's token and signs."""

    def __init__(self, url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self._url,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=CALL_SECONDS,
            transport=transport,
        )

    def pending(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "/api/approvals?state=pending")["approvals"])

    def find(self, approval: str) -> dict[str, Any]:
        return self._call("GET", f"/api/approvals/{quote(approval, safe='')}")

    def decide(self, view: Mapping[str, Any], verdict: str, *, comment: str, minutes: int) -> dict[str, Any]:
        body = {
            "verdict": verdict,
            "comment": comment,
            "grant_minutes": minutes,
            "request_digest": view["request_digest"],
            "shown": view["shown"],
        }
        return self._call("POST", f"/api/approvals/{quote(view['id'], safe='')}/decisions", body)

    def grants(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "/api/grants")["grants"])

    def revoke(self, approval: str) -> dict[str, Any]:
        return self._call("POST", f"/api/grants/{quote(approval, safe='')}/revocation", {})

    def close(self) -> None:
        self._client.close()

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise PartDown(
                f"{self._url}: the console does not answer ({type(error).__name__}). Is `tacho console` up? "
                "Whoever may read the approvals key can decide without it: --as NAME --group GROUP"
            ) from None
        if answer.is_success and len(answer.content) <= MAX_ANSWER_BYTES:
            return _object(answer, self._url)
        raise _refused(answer, self._url)


def _object(answer: httpx.Response, url: str) -> dict[str, Any]:
    try:
        value = answer.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise PartDown(f"{url}: expected JSON of the console's API; is this the console's address?")
    return value


def _refused(answer: httpx.Response, url: str) -> Exception:
    try:
        detail = str(answer.json()["detail"])[:500]
    except (ValueError, KeyError, TypeError):
        detail = f"HTTP {answer.status_code}"
    if answer.status_code == 401:
        return Refused(f"{url} does not know you ({detail}): run `tacho login`")
    if answer.status_code == 400:
        return WrongUse(detail)
    return PartDown(f"{url}: {detail}") if answer.status_code >= 500 else Refused(detail)
