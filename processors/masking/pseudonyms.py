"""A pseudonym stands for a value: equal values get equal ones, and nobody without the key gets back.

HMAC-SHA-256 under a per-tenant key, domain-separated by type, over the normalised value. Never a bare hash:
most secrets and all card numbers could be guessed from one.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from tachograph.processors.masking.errors import PseudonymKeyError

MIN_KEY_BYTES = 32
PSEUDONYM_BYTES = 8
"""64 bits: enough to tell values of one tenant apart, shown as 16 hex digits."""

KEY_ID_CHARS = 4

# Whoever holds a pseudonym and can query the masker could try all values of these: no pseudonym for them.
LOW_ENTROPY = frozenset({"PIN", "CVV", "SSN", "OTP", "DATE_OF_BIRTH"})

_DIGITS_ONLY = frozenset({"CREDIT_CARD", "PHONE", "SSN"})
_NO_SPACE_UPPER = frozenset({"IBAN"})
_LOWER = frozenset({"EMAIL", "MAC_ADDRESS"})
_NOT_DIGIT = re.compile(rb"[^0-9]")
_SPACE_OR_DASH = re.compile(rb"[\s-]")
_KEY_ID = re.compile(r"[a-z0-9]{1,8}\Z")


def normalised(kind: str, value: bytes) -> bytes:
    """The value without what does not tell it apart: the spaces of a card number, the case of an e-mail."""
    if kind in _DIGITS_ONLY:
        return _NOT_DIGIT.sub(b"", value)
    if kind in _NO_SPACE_UPPER:
        return _SPACE_OR_DASH.sub(b"", value).upper()
    if kind in _LOWER:
        return value.strip().lower()
    return value


@dataclass(frozen=True, slots=True)
class PseudonymKey:
    """A tenant's key, at least 32 bytes, and the short id that every pseudonym made with it carries."""

    key_id: str
    secret: bytes = field(repr=False)
    correlate_low_entropy: bool = False

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_KEY_BYTES:
            raise PseudonymKeyError(
                f"pseudonym key {self.key_id!r}: expected at least {MIN_KEY_BYTES} bytes,"
                f" got {len(self.secret)}; make one with `openssl rand -hex 32`"
            )
        if not _KEY_ID.match(self.key_id):
            raise PseudonymKeyError(
                f"pseudonym key id: expected 1 to 8 of a-z and 0-9, got {self.key_id!r}; rename it"
            )

    @classmethod
    def named(cls, secret: bytes) -> "PseudonymKey":
        """The key under an id that follows from it, so that every process calls it the same."""
        return cls(hashlib.sha256(secret).hexdigest()[:KEY_ID_CHARS], secret)

    def of(self, kind: str, value: bytes) -> str | None:
        """`keyid.hex` for this type and value; None for a type whose values could be tried out."""
        if kind in LOW_ENTROPY and not self.correlate_low_entropy:
            return None
        message = b"tachograph/pseudonym/1\0" + kind.encode() + b"\0" + normalised(kind, value)
        digest = hmac.new(self.secret, message, hashlib.sha256).digest()
        return f"{self.key_id}.{digest[:PSEUDONYM_BYTES].hex()}"

    def marker(self, kind: str, value: bytes) -> bytes:
        """The replacement text, `[TYPE:keyid.hex]` or `[TYPE]`: safe in JSON, URL, header and SQL strings."""
        return shown(kind, self.of(kind, value))


def shown(kind: str, pseudonym: str | None) -> bytes:
    """The marker of a type and a pseudonym, or of a type alone."""
    return f"[{kind}:{pseudonym}]".encode() if pseudonym else f"[{kind}]".encode()
