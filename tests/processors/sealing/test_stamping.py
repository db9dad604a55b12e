"""Time stamps from a real authority, `openssl ts`, and from ones that answer something else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from authority import Authority as Paper
from cryptography import x509
from openssl_authority import serving
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from tachograph.processors.errors import AnchorFault
from tachograph.processors.sealing import asking
from tachograph.processors.sealing.asking import Caller, http_client
from tachograph.processors.sealing.stamping import Authority
from tachograph.schemas.checkpoint import Checkpoint
from tachograph.schemas.merkle import EMPTY_ROOT

KIND = {"content-type": "application/timestamp-reply"}


def checkpoint(at: datetime) -> Checkpoint:
    return Checkpoint("tachograph/test/0", 0, EMPTY_ROOT, time=f"{at:%Y-%m-%dT%H:%M:%SZ}")


def note(said: Checkpoint) -> str:
    line = base64.b64encode(bytes(68)).decode()
    return f"{said.text()}\n\u2014 log {line}\n"


def asked(answer: Callable[[httpx.Request], httpx.Response], said: Checkpoint) -> bytes:
    http = httpx.Client(transport=httpx.MockTransport(answer))
    return Authority(Caller(http, "http://t/tsr", wait=lambda _: True)).stamp(note(said), said)


def test_a_real_authority_stamps_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer verifies by its root alone, over the text without the signatures."""
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 60.0)  # it starts a program for each answer
    said = checkpoint(datetime.now(UTC))
    with serving(tmp_path) as real, http_client() as http:
        token = Authority(Caller(http, real.url, wait=lambda _: True)).stamp(note(said), said)
        root = x509.load_pem_x509_certificate(real.root.encode())
        found = decode_timestamp_response(token)
        assert VerifierBuilder(roots=[root]).build().verify_message(found, said.text().encode())
        assert len(found.signed_data.certificates) == 1
        wrong = checkpoint(datetime.now(UTC) - timedelta(seconds=400))
        with pytest.raises(AnchorFault, match="clock is \\+"):
            Authority(Caller(http, real.url, wait=lambda _: True)).stamp(note(wrong), wrong)


NOW = datetime(2026, 1, 2, tzinfo=UTC)
SAID = checkpoint(NOW)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(200, headers=KIND, content=b"no DER"), "no time stamp"),
        (httpx.Response(200, headers=KIND, content=b""), "no time stamp"),
        (httpx.Response(200, text="<html>"), "200 text/plain"),
        (httpx.Response(404), "404"),
        (httpx.Response(200, headers=KIND, content=bytes.fromhex("30053003020102")), "REJECTION"),
        (httpx.Response(200, headers=KIND, content=Paper(1).stamp("x\n", at=NOW)), "something else"),
        (httpx.Response(200, headers=KIND, content=Paper(1).stamp(SAID.text(), at=NOW)), "an older one"),
    ],
)
def test_what_is_no_answer_to_this_question_is_not_kept(answer: httpx.Response, reason: str) -> None:
    """Nothing, no grant, another text, or one that was made for another question (no nonce of ours)."""
    with pytest.raises(AnchorFault, match=reason):
        asked(lambda _: answer, SAID)
