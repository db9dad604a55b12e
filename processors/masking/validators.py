"""What a pattern cannot say about a value: checksums, entropy, and whether a human would call it a
placeholder.

Every check takes the value's bytes and answers whether it may be what the rule looks for.
"""

import base64
import binascii
import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable

Validator = Callable[[bytes], bool]

_HOLLOW = re.compile(
    rb"""(?ix)\A(?:
    <[a-z][a-z0-9\ _.-]{0,40}> | \$\{?[A-Z_][A-Z0-9_]{0,40}\}? | \$?\{\{[^{}]{0,80}\}\} | %[A-Z_]{3,40}%
    | \*+ | \.{3,} | x{3,} | (?:\xe2\x80\xa2)+ | \[?(?:redacted|masked|filtered|hidden|removed)\]?
    | null | nil | none | true | false | undefined
    )\Z"""
)
_PLACEHOLDER = re.compile(
    rb"""(?ix)\A(?:
    <[^<>]*>? | \$?\{\{?.* | \$\(.* | \$[A-Z_]+ | \$[a-z_]+[.(\[].* | `.* | %[A-Z_]+%? | @[a-z_.]+@
    | \[[^\]]*\]? | -+ | _+ | \#+ | secret | empty | string | str | text | bytes | int | required | optional
    | (?:your|my|some|the|an?|test|dummy|fake|sample|example|placeholder|insert|enter|replace|change|too|to)
      [-_\ ].{0,40}(?:here|key|token|secret|password|passwd|pass|value|me|this|short|placeholder|example|id)
    | change[-_]?me | placeholder.* | example.* | todo | tbd | n/?a | xxx+.* | short | invalid
    )\Z"""
)
_CODE = re.compile(
    rb"\A(?:[A-Za-z_][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)*(?:\(.*|\[.*|\{.*)"  # a call or an index
    rb"|(?:this|self|os|process|env|config|cfg|settings|options|opts|args|params|request|req|ctx|data|var|local|secrets|module"
    rb"|props|state|input|event|context|vault|ENV|conf)\.[\w.$]+(?:[\[({].*)?|\$\{?[\w.]+\}?.*)\Z"
)
_RUN = re.compile(rb"(.)\1{5,}", re.DOTALL)
_WORDS = re.compile(rb"[A-Za-z]{3,}")
_NOT_ALNUM = re.compile(rb"[^A-Za-z0-9]+")
_SEQUENCES = (
    b"abcdefghijklmnopqrstuvwxyz" * 2,
    b"01234567890123456789",
    b"9876543210987654321",
    b"1234567890abcdef1234567890abcdef",
    b"0123456789abcdef0123456789abcdef",
    b"qwertyuiopasdfghjklzxcvbnm",
)


def entropy(value: bytes) -> float:
    """Shannon entropy in bits a byte."""
    if not value:
        return 0.0
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def is_hollow(value: bytes) -> bool:
    """Whether nobody could take this for a value: <token>, ${TOKEN}, ****, null. The bar for named fields."""
    return not value or bool(_HOLLOW.match(value))


def is_placeholder(value: bytes) -> bool:
    """Whether people write this where a secret is to go, as your-key-here. The bar for free text."""
    return is_hollow(value) or bool(_PLACEHOLDER.match(value))


def is_expression(value: bytes) -> bool:
    """Whether this is code that fetches a secret, not the secret: os.environ["KEY"], config.token."""
    return bool(_CODE.match(value))


def is_filler(value: bytes) -> bool:
    """Whether the value is made of one repeated byte, or counts up the alphabet or the digits."""
    if _RUN.search(value) and entropy(value) < 3.6:
        return True
    letters = _NOT_ALNUM.sub(b"", value).lower()
    if len(letters) >= 8 and any(letters[:20] in sequence for sequence in _SEQUENCES):
        return True
    alpha = bytes(c for c in letters if 97 <= c <= 122)
    digits = bytes(c for c in letters if 48 <= c <= 57)
    climbs = len(alpha) >= 8 and alpha[:16] in _SEQUENCES[0]
    counts = len(digits) >= 6 and digits[:10] in _SEQUENCES[1]
    return climbs and (counts or len(digits) < 6)


def secret(value: bytes) -> bool:
    """May be a credential: no placeholder, no code, no filler."""
    return not (is_placeholder(value) or is_expression(value) or is_filler(value))


def _classes(value: bytes) -> int:
    lower = any(97 <= c <= 122 for c in value)
    return lower + any(65 <= c <= 90 for c in value) + any(48 <= c <= 57 for c in value)


def random_like(value: bytes) -> bool:
    """Looks drawn at random: long enough, mixed, and not words joined by dashes or dots."""
    if len(value) < 10 or not secret(value) or _classes(value) < 2:
        return False
    if not any(48 <= c <= 57 for c in value) and entropy(value) < 3.8:
        return False
    return entropy(value) >= min(3.0, math.log2(len(value)) - 0.9)


def luhn(value: bytes) -> bool:
    """A payment card number: 12 to 19 digits, an issuer's prefix, and ISO/IEC 7812-1's check digit."""
    digits = [c - 48 for c in value if 48 <= c <= 57]
    if not 12 <= len(digits) <= 19 or digits[0] in (0, 7, 8, 9) or len(set(digits)) < 2:
        return False
    total = sum(digits[-1::-2]) + sum((d * 2) // 10 + d * 2 % 10 for d in digits[-2::-2])
    return total % 10 == 0


_IBAN_LENGTHS = {
    b"AD": 24, b"AE": 23, b"AL": 28, b"AT": 20, b"AZ": 28, b"BA": 20, b"BE": 16, b"BG": 22, b"BH": 22,
    b"BI": 27, b"BR": 29, b"BY": 28, b"CH": 21, b"CR": 22, b"CY": 28, b"CZ": 24, b"DE": 22, b"DJ": 27,
    b"DK": 18, b"DO": 28, b"EE": 20, b"EG": 29, b"ES": 24, b"FI": 18, b"FK": 18, b"FO": 18, b"FR": 27,
    b"GB": 22, b"GE": 22, b"GI": 23, b"GL": 18, b"GR": 27, b"GT": 28, b"HR": 21, b"HU": 28, b"IE": 22,
    b"IL": 23, b"IQ": 23, b"IS": 26, b"IT": 27, b"JO": 30, b"KW": 30, b"KZ": 20, b"LB": 28, b"LC": 32,
    b"LI": 21, b"LT": 20, b"LU": 20, b"LV": 21, b"LY": 25, b"MC": 27, b"MD": 24, b"ME": 22, b"MK": 19,
    b"MN": 20, b"MR": 27, b"MT": 31, b"MU": 30, b"NI": 28, b"NL": 18, b"NO": 15, b"OM": 23, b"PK": 24,
    b"PL": 28, b"PS": 29, b"PT": 25, b"QA": 29, b"RO": 24, b"RS": 22, b"RU": 33, b"SA": 24, b"SC": 31,
    b"SD": 18, b"SE": 24, b"SI": 19, b"SK": 24, b"SM": 27, b"SO": 23, b"ST": 25, b"SV": 28, b"TL": 23,
    b"TN": 24, b"TR": 26, b"UA": 29, b"VA": 22, b"VG": 24, b"XK": 20, b"YE": 30,
}  # fmt: skip


def iban(value: bytes) -> bool:
    """ISO 13616: the country's length and mod 97 = 1."""
    plain = re.sub(rb"[\s-]", b"", value).upper()
    if _IBAN_LENGTHS.get(plain[:2]) != len(plain) or not plain.isalnum():
        return False
    return int("".join(str(int(chr(c), 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def ssn(value: bytes) -> bool:
    """A US social security number by the rules of its areas, groups and serials."""
    digits = bytes(c for c in value if 48 <= c <= 57)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in (b"000", b"666") and area[:1] != b"9" and group != b"00" and serial != b"0000"


def public_ip(value: bytes) -> bool:
    """An address that may name a person or a host outside: neither loopback, unspecified nor link-local."""
    try:
        address = ipaddress.ip_address(value.decode())
    except ValueError:
        return False
    return not (
        address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast
    )


def phone(value: bytes) -> bool:
    """7 to 15 digits (E.164), not all alike, not a date and not a version."""
    digits = bytes(c for c in value if 48 <= c <= 57)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3:
        return False
    return not re.match(rb"\A(?:19|20)\d\d[-./ ](?:0?[1-9]|1[0-2])[-./ ]\d{1,2}", value)


def basic_credentials(value: bytes) -> bool:
    """RFC 7617: base64 of user-id ":" password."""
    try:
        return b":" in base64.b64decode(value + b"=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return False


def mixed(value: bytes) -> bool:
    """At least two of lower case, upper case and digits: not a plain word."""
    return _classes(value) >= 2


def has_digit(value: bytes) -> bool:
    """Holds a digit: few words do."""
    return any(48 <= c <= 57 for c in value)


VALIDATORS: dict[str, Validator] = {
    "secret": secret,
    "random": random_like,
    "luhn": luhn,
    "iban": iban,
    "ssn": ssn,
    "public_ip": public_ip,
    "phone": phone,
    "basic": basic_credentials,
    "mixed": mixed,
    "digit": has_digit,
}
