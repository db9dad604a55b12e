"""The witness over HTTP: cosignatures that verify, the size where it was, and memory before an answer."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tachograph.forensics.witness.memory import Memory
from tachograph.forensics.witness.server import witness_app
from tachograph.schemas.note import NoteSigner, SignatureKind, open_note
from tachograph.schemas.tlog_witness import parse_size

ORIGIN = "tachograph/test/0"
LOG = NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
WITNESS = NoteSigner(
    "witness.example", Ed25519PrivateKey.from_private_bytes(b"\x09" * 32), SignatureKind.COSIGNATURE
)


def _client(folder: Path) -> httpx.AsyncClient:
    app = witness_app(
        logs={ORIGIN: LOG.key}, memory=Memory(folder), signer=WITNESS, now=lambda: 1_700_000_000
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://witness")


async def test_a_cosignature_verifies(tmp_path: Path, growing_log: Any) -> None:
    """The line that is answered, put behind the log's own, opens with both keys and the time."""
    log = growing_log().grow(3)
    async with _client(tmp_path) as client:
        answer = await client.post("/add-checkpoint", content=log.asks(0))
    assert answer.status_code == 200
    note = log.asks(0).partition("\n\n")[2] + answer.text
    opened = open_note(note, [log.signer.key, WITNESS.key])
    assert opened.cosigned == ((WITNESS.key, 1_700_000_000),)


async def test_a_stale_log_learns_where_it_was(tmp_path: Path, growing_log: Any) -> None:
    """409 with the size, also after a restart: then a proof from there is cosigned."""
    log = growing_log().grow(3)
    async with _client(tmp_path) as client:
        assert (await client.post("/add-checkpoint", content=log.asks(0))).status_code == 200
    log.grow(4)
    async with _client(tmp_path) as client:
        stale = await client.post("/add-checkpoint", content=log.asks(0))
        assert (stale.status_code, stale.headers["content-type"]) == (409, "text/x.tlog.size")
        again = await client.post("/add-checkpoint", content=log.asks(parse_size(stale.text)))
    assert again.status_code == 200


async def test_a_fork_gets_nothing(tmp_path: Path, growing_log: Any) -> None:
    """422, and the witness still holds to what it knew."""
    log, fork = growing_log().grow(3), growing_log(first=50).grow(5)
    async with _client(tmp_path) as client:
        await client.post("/add-checkpoint", content=log.asks(0))
        assert (await client.post("/add-checkpoint", content=fork.asks(3))).status_code == 422
        assert (await client.post("/add-checkpoint", content=log.grow(1).asks(3))).status_code == 200


async def test_no_memory_no_cosignature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, growing_log: Any
) -> None:
    """A full disk is a 503, and nothing is signed."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Memory, "keep", full)
    async with _client(tmp_path) as client:
        answer = await client.post("/add-checkpoint", content=growing_log().grow(1).asks(0))
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert "\u2014" not in answer.text


async def test_who_monitors_sees_the_latest(tmp_path: Path, growing_log: Any) -> None:
    """The last cosigned checkpoint of a log, by the hash of its origin; 404 before there is one."""
    path = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    async with _client(tmp_path) as client:
        assert (await client.get(path)).status_code == 404
        await client.post("/add-checkpoint", content=growing_log().grow(2).asks(0))
        note = (await client.get(path)).text
    assert open_note(note, [WITNESS.key]).text.startswith(f"{ORIGIN}\n2\n")


async def test_too_much_and_no_text_are_refused(tmp_path: Path) -> None:
    """413 and 400, before anything is judged."""
    async with _client(tmp_path) as client:
        assert (await client.post("/add-checkpoint", content=b"x" * 70_000)).status_code == 413
        assert (await client.post("/add-checkpoint", content=b"\xff")).status_code == 400
        assert (await client.get("/add-checkpoint")).status_code == 405
