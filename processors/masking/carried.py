"""What one record of an exchange found and the next must know: values, in memory only, within bounds.

A request's password is masked by its name; the answer may repeat it in prose, where it has none. Plain words
are carried only for names that mean a password or a secret: `lang=english` in a cookie must not blacken every
"english" in the page that comes back.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tachograph.processors.masking.findings import Finding
from tachograph.processors.masking.parts import MaskedPart, Removed
from tachograph.processors.masking.propagate import MAX_VALUE, MIN_VALUE

__all__ = ["NOTHING", "Carried", "Masked", "Secret", "carried", "carries"]

MAX_SECRETS = 20_000
"""Values of one exchange."""
MAX_BYTES = 4 * 1024 * 1024
"""... and their bytes. Beyond either the answer is withheld: half of them mask by luck."""
MIN_NUMBER = 8
"""Shorter numbers stand in every text."""
MIN_WORD = 16
"""A single word of this length is no word."""
TOO_MANY = "propagation-limit"

_NAMED = frozenset({"PASSWORD", "SECRET"})
"""Types whose values people choose, so that a word may be one; a field that the operator names is SECRET."""
_ORDINARY = frozenset({
    b"include", b"same-origin", b"required", b"optional", b"disabled", b"enabled", b"hidden", b"redacted",
    b"[gateway-credential]", b"[target-credential]",
})  # fmt: skip
"""What stands under such names and is none; the last two are the gateway's own words."""
_WORDS = re.compile(
    rb"(?:[A-Z]?[a-z]+|[A-Z]+)(?:[-_./,;:=+ ]{1,2}(?:[A-Z]?[a-z]+|[A-Z]+|[0-9]{1,2}(?:\.[0-9])?))*+"
)


@dataclass(frozen=True, slots=True)
class Secret:
    """One value and what it is called."""

    rule: str
    type: str
    priority: int
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Carried:
    """The values of a request; `refused` says why a body may not be masked by them alone."""

    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    refused: str | None = None
    unread: bool = False
    """Whether the request's body is no text: what of it could be read is carried, but that may not be all."""
    injected: tuple[bytes, ...] = field(default=(), repr=False)
    """Credentials that the exchange's record names itself: they must not survive, as the registry's."""

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return sum(len(secret.value) for secret in self.secrets) + sum(map(len, self.injected))


NOTHING = Carried()


@dataclass(frozen=True, slots=True)
class Masked:
    """The parts of one record, what was found in them, and each value once that was taken out of them."""

    parts: tuple[MaskedPart, ...]
    found: Carried = NOTHING
    removed: tuple[Removed, ...] = field(default=(), repr=False)


def carried(findings: Iterable[Finding]) -> Carried:
    """What to carry of these findings, in one order whatever theirs is."""
    secrets = {
        Secret(finding.rule, finding.type, finding.priority, finding.value)
        for finding in findings
        if carries(finding.type, finding.value)
    }
    if len(secrets) > MAX_SECRETS or sum(len(secret.value) for secret in secrets) > MAX_BYTES:
        return Carried(refused=TOO_MANY)
    return Carried(tuple(sorted(secrets, key=lambda secret: (secret.value, secret.type, secret.rule))))


def carries(kind: str, value: bytes) -> bool:
    """Whether a value says enough to be looked for in another record."""
    if not MIN_VALUE <= len(value) <= MAX_VALUE or value.lower() in _ORDINARY:
        return False
    if kind in _NAMED:
        return True
    if value.isdigit():
        return len(value) >= MIN_NUMBER
    return (len(value) >= MIN_WORD and value.isalpha()) or not _WORDS.fullmatch(value)
