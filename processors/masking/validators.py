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
from itertools import pairwise
from operator import eq

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
LONG_RUN = 10
_RUN = re.compile(rb"(.)\1{5,}", re.DOTALL)
_NOT_DIGIT = re.compile(rb"[^0-9]")
_DIGIT = re.compile(rb"[0-9]")
_NEXT = bytes((*range(1, 256), 0))
_NOT_DIGITS = bytes(range(48)) + bytes(range(58, 256))
_NOT_LOWER = bytes(range(97)) + bytes(range(123, 256))
_VALUES = bytes(max(0, c - 48) if c < 58 else 0 for c in range(256))
"""A digit's value in a check sum, and twice that, digits added up."""
_DOUBLED = bytes(v * 2 // 10 + v * 2 % 10 for v in _VALUES)
MIN_CARD = 12
_NOT_ALNUM = re.compile(rb"[^A-Za-z0-9]+")


_WEIGHT = (0.0, *(n * math.log2(n) for n in range(1, 64)))


def entropy(value: bytes) -> float:
    """Shannon entropy in bits a byte."""
    if not value:
        return 0.0
    size = len(value)
    weights = [_WEIGHT[n] if n < len(_WEIGHT) else n * math.log2(n) for n in Counter(value).values()]
    return math.log2(size) - sum(weights) / size


def is_hollow(value: bytes) -> bool:
    """Whether nobody could take this for a value: <token>, ${TOKEN}, ****, null. The bar for named fields."""
    return not value or bool(_HOLLOW.match(value))


def is_placeholder(value: bytes) -> bool:
    """Whether people write this where a secret is to go, as your-key-here. The bar for free text."""
    return is_hollow(value) or bool(_PLACEHOLDER.match(value))


def is_expression(value: bytes) -> bool:
    """Whether this is code that fetches a secret, not the secret: os.environ["KEY"], config.token."""
    return bool(_CODE.match(value))


def _climbing(text: bytes) -> float:
    """The share of neighbours in text that follow one another in the alphabet."""
    climbing: int = sum(map(eq, text[1:], text.translate(_NEXT)))
    return climbing / max(1, len(text) - 1)


def unrun(value: bytes) -> bool:
    """Holds no ten letters or digits in a row that count up, as abcdefghij: nothing drawn at random does."""
    low = value.lower()
    if not any(right - left == 4 for left, right in zip(low[::5], low[4::5], strict=False)):
        return True  # a run of ten holds two such letters, wherever it begins
    run = 1
    for left, right in pairwise(low):
        run = run + 1 if right - left == 1 else 1
        if run >= LONG_RUN:
            return False
    return True


def shuffled(value: bytes) -> bool:
    """Upper case, lower case and digits all occur, as in base62."""
    return _classes(value) == 3


def is_filler(value: bytes) -> bool:
    """Whether the value is made of one repeated byte, or counts up the alphabet or the digits."""
    if _RUN.search(value) and entropy(value) < 3.6:
        return True
    plain = _NOT_ALNUM.sub(b"", value).lower()
    alpha = plain.translate(None, _NOT_LOWER)
    digits = plain.translate(None, _NOT_DIGITS)
    most = max(8, len(plain) / 2)  # a few digits among letters climb by chance
    return (len(alpha) >= most and _climbing(alpha) > 0.6) or (
        len(digits) >= most and _climbing(digits) > 0.7
    )


def secret(value: bytes) -> bool:
    """May be a credential: no placeholder, no code, no filler."""
    return not (is_placeholder(value) or is_expression(value) or is_filler(value))


def _classes(value: bytes) -> int:
    return (value != value.upper()) + (value != value.lower()) + has_digit(value)


_WORDS = re.compile(rb"(?:[a-z]{3,}+|[A-Z]{3,6})?(?:[A-Z][a-z]{2,}+|[A-Z]{3,6}(?=[A-Z][a-z]|\Z))++")
_WORD = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_VOWEL = re.compile(rb"(?i)[aeiouy]")


def is_camel_case(letters: bytes) -> bool:
    """Whether letters are words written together, as in AbstractTokenProvider: none shorter than three
    letters, each with a vowel. Drawn at random, lower and upper case change about every second letter.
    """
    if not _WORDS.fullmatch(letters):
        return False
    return all(_VOWEL.search(word) for word in _WORD.findall(letters) if not word.isupper())


_CHUNK = re.compile(rb"[A-Za-z0-9]+")
_MIXED_CHUNK = 5
MIN_RANDOM = 10


def random_like(value: bytes) -> bool:
    """Looks drawn at random: long enough, mixed, no words joined by dashes, no expression, no filler."""
    if (
        len(value) < MIN_RANDOM
        or is_placeholder(value)
        or is_expression(value)
        or _RUN.search(value)
        or not unrun(value)
    ):
        return False
    if entropy(value) < min(3.0, math.log2(len(value)) - 0.9):
        return False
    if value.isdigit():
        return len(value) >= 16 and not is_filler(value)
    chunks = _CHUNK.findall(value)
    if any(len(chunk) >= _MIXED_CHUNK and has_digit(chunk) and _classes(chunk) >= 2 for chunk in chunks):
        return True
    return any(
        len(chunk) >= 16 and _classes(chunk) >= 2 and entropy(chunk) >= 3.8 and not is_camel_case(chunk)
        for chunk in chunks
    )


def unfilled(value: bytes) -> bool:
    """Does not count up the alphabet or the digits, as examples in manuals do."""
    return random_like(value) and not is_filler(value)


# Issuer prefixes (ISO/IEC 7812) and the lengths that they use.
_ISSUERS = re.compile(
    rb"""(?x)\A(?:
    4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})                                                    # Visa
    | (?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}   # Mastercard
    | 3[47][0-9]{13} | 3(?:0[0-5]|[689][0-9])[0-9]{11,13}                                 # Amex, Diners
    | (?:6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2})[0-9]{12,15}                             # Discover, UnionPay
    | 35[0-9]{14} | (?:2131|1800)[0-9]{11}                         # JCB
    | (?:50[0-9]{2}|5[6-8][0-9]{2}|6304|6390|6759|676[1-3]|0604)[0-9]{8,15}               # Maestro
    | 220[0-4][0-9]{12,15}                                                                # Mir
    )\Z"""
)


def luhn(value: bytes) -> bool:
    """A payment card number: an issuer's prefix and length, and ISO/IEC 7812-1's check digit."""
    return _is_card(_NOT_DIGIT.sub(b"", value))


def _is_card(plain: bytes) -> bool:
    if not _ISSUERS.match(plain) or len(set(plain)) < 2:
        return False
    return (sum(plain[-1::-2].translate(_VALUES)) + sum(plain[-2::-2].translate(_DOUBLED))) % 10 == 0


def card_in_front(value: bytes) -> int:
    """The length of the longest card number that value begins with and that ends before a space or dash, 0 if
    there is none: the answer to `luhn` for every shorter reading at once.
    """
    plain = _NOT_DIGIT.sub(b"", value)
    for size in range(len(plain), MIN_CARD - 1, -1):
        if _is_card(plain[:size]):
            end = _digit_end(value, size)
            if value[end : end + 1] in (b" ", b"-"):
                return end
    return 0


def _digit_end(value: bytes, count: int) -> int:
    """Where the digit of this number, counted from one, ends."""
    for at, letter in enumerate(value, 1):
        count -= 48 <= letter <= 57
        if not count:
            return at
    return len(value)


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


_RESOLVERS = frozenset({
    "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "149.112.112.112", "208.67.222.222",
    "208.67.220.220", "2001:4860:4860::8888", "2001:4860:4860::8844", "2606:4700:4700::1111",
    "2606:4700:4700::1001", "2620:fe::fe",
})  # fmt: skip


def public_ip(value: bytes) -> bool:
    """An address that may name a person or a host outside: neither private, loopback nor link-local, and not
    one of the resolvers that half the world has in its settings.
    """
    try:
        address = ipaddress.ip_address(value.decode())
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and str(address) not in _RESOLVERS


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
    return _DIGIT.search(value) is not None


IN_FRONT: dict[str, Callable[[bytes], int]] = {"luhn": card_in_front}
"""Validators that look at all shorter readings of a value at once."""

VALIDATORS: dict[str, Validator] = {
    "secret": secret,
    "random": random_like,
    "unfilled": unfilled,
    "filled": lambda value: not is_placeholder(value) and not is_expression(value),
    "luhn": luhn,
    "iban": iban,
    "ssn": ssn,
    "public_ip": public_ip,
    "phone": phone,
    "basic": basic_credentials,
    "unrun": unrun,
    "shuffled": shuffled,
    "mixed": mixed,
    "digit": has_digit,
}
