"""The same for programs: tokens only, problem documents, nothing that is not for these eyes."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest

from tachograph.schemas.approval import Decided

API_KEY = "tacho_abcdefgh_" + "k" * 43
AUTH = {"authorization": f"Bearer {API_KEY}"}


async def test_what_waits_comes_with_its_document(world: Any) -> None:
    """The list, one by its id or its beginning, and a decision bound to what was listed."""
    approval = world.asks()
    client = world.browser_of().client
    (listed,) = (await client.get("/api/approvals", headers=AUTH)).json()["approvals"]
    assert listed["shown"] == world.digest(approval)
    assert listed["document"]["unmapped"]["tacho"]["method"] == "DELETE"
    one = (await client.get(f"/api/approvals/{str(approval.id)[:8]}", headers=AUTH)).json()
    assert (one["id"], one["refused"]) == (str(approval.id), None)
    body = {
        "verdict": "approve",
        "comment": "ok",
        "grant_minutes": 5,
        "request_digest": one["request_digest"],
        "shown": one["shown"],
    }
    done = await client.post(f"/api/approvals/{approval.id}/decisions", json=body, headers=AUTH)
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert world.log[-1].reviewer.principal.id == "robot"
    (grant,) = (await client.get("/api/grants", headers=AUTH)).json()["grants"]
    path = f"/api/grants/{grant['approval']}/revocation"
    assert (await client.post(path, json={}, headers=AUTH)).json() == {
        "approval": grant["approval"],
        "revoked": True,
    }
    again = await client.post(path, json={}, headers=AUTH)
    assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic x"}, {"authorization": "Bearer "}, {"authorization": "Bearer tacho_x"},
     {"authorization": "Bearer a.b.c"}, {"x-tacho-key": "tacho_abcdefgh_" + "x" * 43}],
)  # fmt: skip
async def test_nobody_unknown_sees_anything(world: Any, headers: dict[str, str]) -> None:
    """401 with a problem document, on every address; a browser's session does not help."""
    approval = world.asks()
    client = world.browser_of("ruth", "ops").client
    for path in ("/api/approvals", f"/api/approvals/{approval.id}", "/api/grants"):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    for path in (f"/api/approvals/{approval.id}/decisions", f"/api/grants/{approval.id}/revocation"):
        assert (await client.post(path, json={}, headers=headers)).status_code in {401, 403}
    assert len(world.log) == 1


async def test_what_is_not_for_these_eyes_is_not_there(world: Any) -> None:
    """IDOR: another group's approval, a made-up one and one by prefix are the same 404 in API and pages."""
    hidden = world.asks(groups=("finance",))
    client = world.browser_of().client
    assert (await client.get("/api/approvals?state=all", headers=AUTH)).json() == {"approvals": []}
    body = {"verdict": "deny", "request_digest": hidden.requested.request_digest}
    answers = []
    for uid in (hidden.id, uuid.uuid4()):
        answers.append(await client.get(f"/api/approvals/{uid}", headers=AUTH))
        answers.append(await client.post(f"/api/approvals/{uid}/decisions", json=body, headers=AUTH))
        answers.append(await client.post(f"/api/grants/{uid}/revocation", json={}, headers=AUTH))
    answers.append(await client.get(f"/api/approvals/{str(hidden.id)[:8]}", headers=AUTH))
    assert {each.status_code for each in answers} == {404}
    assert len({each.text for each in answers}) == 1
    assert (await world.browser_of("ruth", "ops").get(f"/approvals/{hidden.id}")).status_code == 404
    assert len(world.log) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"verdict":"maybe"}', b'{"verdict":"approve","x":1}', b'{"verdict":1}',
     b'{"verdict":"approve","grant_minutes":true}', b'{"verdict":"approve","comment":"\\u001b"}',
     b'{"verdict":"approve","grant_minutes":-1}', b'{"verdict":"approve","grant_minutes":1.5}'],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused(world: Any, body: bytes) -> None:
    """400, and nothing on the log."""
    approval = world.asks()
    headers = AUTH | {"content-type": "application/json"}
    path = f"/api/approvals/{approval.id}/decisions"
    answer = await world.browser_of().client.post(path, content=body, headers=headers)
    assert answer.status_code == 400
    assert not any(isinstance(each, Decided) for each in world.log)


async def test_a_stale_digest_is_a_conflict(world: Any) -> None:
    """Bound to what was shown."""
    approval = world.asks()
    body = {"verdict": "approve", "request_digest": approval.requested.request_digest}
    for shown in (None, hashlib.sha256(b"other").hexdigest()):
        answer = await world.browser_of().client.post(
            f"/api/approvals/{approval.id}/decisions", json=body | {"shown": shown}, headers=AUTH
        )
        assert answer.status_code == 409


async def test_an_old_view_is_not_told_as_the_truth(world: Any) -> None:
    """503 while the log cannot be read."""
    world.time.on(10)
    assert (await world.browser_of().client.get("/api/approvals", headers=AUTH)).status_code == 503
