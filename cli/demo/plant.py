"""Credentials that open nothing, in their providers' real formats, made afresh from one seeded source.

Each says where it travels and which part of it is secret: that part, or twelve characters of it in a row, may
be found nowhere that is kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

__all__ = ["Planted", "facts", "plant", "upstream_credential"]

_ALNUM = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_DER_HEADER = 48
"""Base64 characters of a PKCS#8 P-256 key that are the same in all such keys."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One credential: the fact of the example world that carries it, and what of it is secret."""

    name: str
    where: str
    text: str
    secret: Sequence[str]

    def __repr__(self) -> str:
        return f"Planted(name={self.name!r}, where={self.where!r})"


def plant(random: Random) -> tuple[Planted, ...]:
    """One of each; the same seed makes the same ones."""

    def simple(name: str, where: str, prefix: str, alphabet: str, length: int) -> Planted:
        body = _pick(random, alphabet, length)
        return Planted(name, where, prefix + body, (body,))

    return (
        simple("aws_key_id", "prompt", "AKIA", string.ascii_uppercase + "234567", 16),
        simple("aws_secret", "prompt", "", _ALNUM + "/+", 40),
        simple("api_token", "request header", "", _HEX, 40),
        simple("cookie", "request cookie", "", _HEX, 32),
        simple("set_cookie", "response cookie", "", _ALNUM + "-_", 43),
        simple("login_password", "form, percent-encoded", "", _ALNUM + "!$*&= /", 20),
        simple("basic_password", "basic authorization, base64", "", _ALNUM + "-_", 24),
        simple("query_key", "query of a URL", "", _ALNUM, 32),
        simple("database_password", "tool argument (database URL)", "", _ALNUM, 18),
        simple("github_token", "across stream events", "ghp_", _ALNUM, 36),
        simple("stripe_key", "error body", "sk_live_", _ALNUM, 24),
        simple("password", "tool result (JSON in text)", "", _ALNUM + "!$*", 20),
        _slack(random),
        _jwt(random),
        _card(random),
        _private_key(random),
    )


def facts(planted: Sequence[Planted]) -> dict[str, str]:
    """The example world's words that carry them."""
    return {item.name: item.text for item in planted}


def upstream_credential(random: Random) -> Planted:
    """The model API's own key: the gateway injects it, and the model server repeats it in an error."""
    body = _pick(random, _ALNUM + "-_", 93)
    return Planted(
        "upstream", "injected by the gateway, repeated in an error", f"sk-ant-api03-{body}AA", (body,)
    )


def _slack(random: Random) -> Planted:
    numbers = f"{_pick(random, string.digits, 12)}-{_pick(random, string.digits, 13)}"
    body = _pick(random, _ALNUM, 24)
    return Planted("slack_token", "tool argument", f"xoxb-{numbers}-{body}", (f"{numbers}-{body}",))


def _jwt(random: Random) -> Planted:
    head = _base64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = {"sub": _pick(random, _ALNUM, 16), "jti": _pick(random, _HEX, 32)}
    body = _base64url(json.dumps(claims).encode())
    signature = _base64url(hmac.digest(random.randbytes(32), f"{head}.{body}".encode(), hashlib.sha256))
    return Planted("jwt", "authorization header", f"{head}.{body}.{signature}", (body[12:], signature))


def _card(random: Random) -> Planted:
    digits = "4" + _pick(random, string.digits, 14)
    number = digits + _luhn(digits)
    return Planted("card", "response body, compressed", number, (number,))


def _private_key(random: Random) -> Planted:
    key = ec.derive_private_key(random.randrange(1 << 128, 1 << 255), ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().strip()
    lines = pem.splitlines()[1:-1]
    return Planted("private_key", "tool result", pem, (lines[0][_DER_HEADER:], *lines[1:]))


def _luhn(digits: str) -> str:
    """The check digit of ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def _pick(random: Random, alphabet: str, length: int) -> str:
    return "".join(random.choices(alphabet, k=length))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
