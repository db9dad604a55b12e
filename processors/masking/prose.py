"""Secrets that a sentence names: "the password is x", "Passwort: x", "log in with bob/x", in the languages
people use.

Nothing in a sentence says where a secret begins but the word before it, so what follows must look like no
word: digits among letters, or marks inside. In quotes, backticks or alone on its line a plain word will do.
A sentence about passwords ("the password must be 12 characters") has neither.
"""

import re
from collections.abc import Iterator
from typing import Any

import re2

from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.validators import has_digit, is_expression, is_placeholder

MIN_VALUE = 6
MAX_VALUE = 256

_NAMES = (
    r"pass[ -]?(?:word|wort|wd|phrase|code)s?|pwd?|pass|kennwort|zugangsdaten|mot de passe"
    r"|contraseña|contrasena"
    r"|senha|palavra-passe|wachtwoord|hasło|lösenord|adgangskode|salasana|parola|şifre"
    r"|пароль|Пароль"
    r"|密码|密碼|パスワード"
    r"|비밀번호|पासवर्ड"
    r"|(?:api|access|secret|private|auth|license|client|encryption|signing)[ -]?(?:key|token"
    r"|secret)|secret|token"
    r"|creds|credentials?|log ?in|pin|otp"
)
_VARIABLES = r"|[a-z0-9_]*_(?:password|passwd|pwd|pass|token|secret|key)"
"""DB_PASSWORD is x: a name from a configuration, in a sentence."""
_LINK = (
    r"(?:'s|’s)?(?:[ ]+(?:for|of|to|at|on)(?:[ ]+[\w.@-]+){1,4}?)?[*_`]{0,3}"
    r"(?:[ ]*(?:[:(]|->|=>|==|→|–|—|：)[*_]{0,3}[ ]*"
    r"|[ ]+(?:is|was|are|-|–|will be|lautet|ist|es|est|é|to|with|as)(?:[ ]+(?:now|currently"
    r"|set to|changed to|reset to))?:?[ ]+"
    r"|[ ]+(?:(?:has been|was|is|were|been|now)[ ]+)*(?:set|changed|reset|updated|rotated)(?:[ ]+to)?:?[ ]+"
    r"|是[ ]*|は[ ]*|[ ]*:?\r?\n[ ]*|[ ]+)"
)
_VALUE = re.compile(
    rb"[*_]{0,2}(?:\"([^\"\n]{3,256})\"|'([^'\n]{3,256})'|`([^`\n]{3,256})`"
    rb"|\xe2\x80\x9c([^\n]{3,256}?)\xe2\x80\x9d|([^\s\"'`<>|]{4,256}))"
)
_PAIR = re.compile(rb"[^\s:/@\"'`]{1,64}[:/]([^\s/\"'`,;]{4,256})")
_ODD = re.compile(rb"[!#$%^&*+@?~=]")
_HARMLESS = re.compile(
    rb"(?i)(?:\d{1,5}(?:[.,:/-]\d+)*(?:[a-z%]{1,4})?|[a-z]+(?:[-_/.'][a-z]+)*"
    # With a number behind, only what is written as words are: neither XqmvJoyQxvkx00 nor the like.
    rb"|(?-i:[A-Z]?[a-z]+(?:[-_/.'][A-Z]?[a-z]+)*|[A-Z]+|[A-Z][a-z]+[A-Z][a-z]+)[0-9]{1,2}"
    rb"|v?\d+(?:\.\d+)+|https?:.*|/.*|[\w.-]+\.(?:md|py|js|ts|json|ya?ml|txt|html?|go|rs|java|toml"
    rb"|env|com|org|net|io)"
    rb"|sha-?\d+|md5|utf-?8|base64|oauth2?|rfc\d+|[A-Z]{2,}-\d+|[\w-]*\$?\{.*|<.*"
    rb"|(?-i:[A-Z][A-Z0-9_]*)|--?[a-z].*|\W+|[a-z_]\w*\(.*|\d+(?:st|nd|rd|th)|aes-?\d+.*"
    rb"|(?:\w+:)?\w+:|[A-Za-z_]\w*=.*|[\w-]+@[\w.-]+)[.,:;!?)*]*\Z"
)
_JOINED = re.compile(rb"\w[-.]\Z")
"""What stands before the last word of a name, as in `acme-api-key: x`: an assignment, and no sentence."""
_PAIRED = frozenset({b"creds", b"credentials", b"credential", b"login", b"log in", b"zugangsdaten"})
_TRAILING = b".,:;!?*_)]}"


class Prose:
    """Finds what a sentence says is a secret."""

    def __init__(self, *, strict: bool = True) -> None:
        # A value has a mark that words lack, or stands in quotes: only then is the sentence worth a look.
        value = "([\"'`*]|“|[^\\s\"'`]*[0-9!#$%^&*+@?~=])"
        wide = "|".join(name for name in _NAMES.split("|") if not name.isascii())
        names, link = (
            (_NAMES + _VARIABLES, _LINK.replace("|will be|", "|=|will be|")) if strict else (_NAMES, _LINK)
        )
        self.gate = f"(?i)\\b({names}){link}{value}".encode()
        """A sentence that may name a secret."""
        self._spoken = re2.compile(self.gate)
        self._wide = re2.compile(f"(?i)({wide}){_LINK}{value}".encode())

    def find(self, text: bytes) -> Iterator[Field]:
        """Every secret that a sentence names."""
        match: Any
        for match in self._spoken.finditer(text):
            if not _JOINED.search(text, max(0, match.start() - 2), match.start()):
                yield from _found(text, match)
        if not text.isascii():
            for match in self._wide.finditer(text):
                yield from _found(text, match)


def _found(text: bytes, match: Any) -> Iterator[Field]:
    word = match.group(1).lower()
    at = match.start(2)
    name = (
        "token"
        if b"token" in word
        else "api_key"
        if b"key" in word
        else "pin"
        if word == b"pin"
        else "password"
    )
    if word in _PAIRED:
        pair = _PAIR.match(text, at)
        if pair and _is_odd(pair[1].rstrip(_TRAILING)):
            yield Field(
                name, marker_type(name), pair.start(1), pair.start(1) + len(pair[1].rstrip(_TRAILING))
            )
        return
    value = _VALUE.match(text, at)
    if not value:
        return
    group = value.lastindex or 0
    plain = value[group]
    if group == 5:
        plain = plain.rstrip(_TRAILING)
        if not _is_odd(plain):
            return
    elif not _is_quoted_secret(plain):
        return
    yield Field(name, marker_type(name), value.start(group), value.start(group) + len(plain))


def _is_odd(value: bytes) -> bool:
    """Whether a word in a sentence can be no word of it."""
    if len(value) < MIN_VALUE or _HARMLESS.match(value) or is_placeholder(value) or is_expression(value):
        return False
    letters = any(chr(c).isalpha() for c in value)
    return letters and (has_digit(value) or bool(_ODD.search(value)))


def _is_quoted_secret(value: bytes) -> bool:
    if is_placeholder(value) or is_expression(value):
        return False
    return _is_odd(value) or (b" " in value and has_digit(value) and len(value) < 64)
