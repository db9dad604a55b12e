"""Examples without secrets in them: templates whose `{kind:n}` holes are filled by a seeded generator.

`ghp_{alnum:36}` is a rule's example in the file and a different, well-formed token for every seed, so no file
of the project holds a string that looks like a credential, and a rule is tested with more than one text.
"""

import base64
import json
import random
import re

_HOLE = re.compile(r"\{(alnum|alpha|hex|digits|upper|lower|b32|b64|b64url|uuid|jwt)(?::([0-9]{1,4}))?\}")
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = _UPPER.lower()
_DIGITS = "0123456789"
_ALPHABETS = {
    "alnum": _UPPER + _LOWER + _DIGITS,
    "alpha": _UPPER + _LOWER,
    "hex": _DIGITS + "abcdef",
    "digits": _DIGITS,
    "upper": _UPPER + _DIGITS,
    "lower": _LOWER + _DIGITS,
    "b32": _UPPER + "234567",
    "b64": _UPPER + _LOWER + _DIGITS + "+/",
    "b64url": _UPPER + _LOWER + _DIGITS + "-_",
}


def _part(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _drawn(source: random.Random, kind: str, size: int) -> str:
    if kind == "uuid":
        digits = _drawn(source, "hex", 32)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    if kind == "jwt":
        head, body = _part({"alg": "HS256", "typ": "JWT"}), _part({"sub": _drawn(source, "digits", 10)})
        return f"{head}.{body}.{_drawn(source, 'b64url', 43)}"
    alphabet = _ALPHABETS[kind]
    # A value begins and ends with a letter or digit, as `\\b` and real encoders of whole bytes have it.
    inner = "".join(source.choice(alphabet) for _ in range(size))
    plain = "".join(c for c in alphabet if c.isalnum())
    return (source.choice(plain) + inner[1:-1] + source.choice(plain))[:size] if size > 1 else inner[:size]


def filled(template: str, seed: int = 0) -> str:
    """The template with every hole filled; the same seed gives the same text."""
    source = random.Random(f"{seed}:{template}")  # noqa: S311  test data, no secret
    return _HOLE.sub(lambda hole: _drawn(source, hole[1], int(hole[2] or 0)), template)
