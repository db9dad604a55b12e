"""Values that SQL and its relatives name: columns of INSERT, UPDATE, WHERE and COPY, options, settings.

`INSERT INTO t (id, password) VALUES (1, 'x')` and its kin (REPLACE, SELECT, SET, a WITH or VALUES under
column names), `SET ssn = 'x'`, `WHERE pin IN (1, 2)`, `PASSWORD 'x'`, `IDENTIFIED BY 'x'`, `COPY t
(password) FROM stdin`. A literal is read as its dialect writes it: quotes doubled, `E'..'`, `N'..'`,
`$$..$$`, and MySQL's `".."`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import re2

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.validators import is_hollow, is_placeholder

GATE = (
    rb"(?i)\b(?:(?:insert|replace|upsert|copy|select|update|where|declare|exec|create|alter|grant"
    rb"|set|call|merge|having|option"
    rb"|pragma|attach|encryption|decryption|match|identified|define|put)[\s_(]|values\s*\(|options\s*\("
    rb"|(?:password|secret|passphrase|secret_key)\s+(?:[en]?'|\$\$))"
)
"""What a text has that holds a statement."""
MAX_COLUMNS = 1024
MAX_CELLS = 500_000
"""Literals and words looked at in the lists of one text; beyond it the text is withheld."""
USER_REACH = 256
"""How far before IDENTIFIED BY the statement's first word may stand."""
_USER = re.compile(rb"(?i)\b(?:create|alter|grant|user|role|link|set|by|connect)\b")
VERB_REACH = 1000
"""How far before a comparison its WHERE or SET may stand."""
MAX_STATEMENT = 64 * 1024
"""How far a list of values may reach that is named behind it."""

_TABLE = rb"(?:[\w.$#@]+|\"[^\"]+\"|`[^`]+`|\[[^\]]+\])(?:\.(?:[\w.$#@]+|\"[^\"]+\"|`[^`]+`|\[[^\]]+\])){0,3}"
_INSERT = re2.compile(
    rb"(?i)\b(?:insert|replace|upsert)\s+(?:(?:ignore|overwrite|delayed|low_priority"
    rb"|or\s+\w+)\s+)*(?:into\s+)?(?:table\s+)?"
    + _TABLE + rb"\s*(?:(?:as\s+)?\w+\s*)?\(([^()]+)\)\s*(?:overriding\s+\w+\s+value\s+)?"
    rb"(?:output\s+[^()]{1,200}?\s+)?"
    rb"(?:values?|(select(?:\s+distinct)?))\b\s*"
)  # fmt: skip
_WITH = re2.compile(rb"(?i)\b\w+\s*\(([^()]+)\)\s+as\s+(?:(?:not\s+)?materialized\s+)?\(\s*values\s*")
_ALIASED = re2.compile(rb"(?i)\)\s*(?:as\s+)?\w+\s*\(([\w\s,\"`\[\]]+)\)")
_TUPLE_SET = re2.compile(rb"(?i)\(([\w\s,.\"`\[\]]+)\)\s*=\s*(?:row\s*)?(\()")
_COPY = re2.compile(
    rb"(?i)\bcopy\s+" + _TABLE + rb"\s*\(([^()]+)\)\s*from\s+(?:stdin|program|'[^']*')([^;\n]*);?[ \t]*\r?\n"
)
_QUOTED = (
    rb"(?:[ENnUeu]&?|_utf8)?'((?:[^'\\]|''|\\(?='\s*[,);\n])|\\.)*+)'"
    rb"|\"((?:[^\"\\]|\"\"|\\.)*+)\"|\$(\w*)\$(.*?)\$\3\$"
)
_LITERAL = re.compile(_QUOTED, re.DOTALL)
_CELL = re.compile(_QUOTED + rb"|([-+]?[0-9][0-9.eE+-]*)\b|[(),;]|[^'\"(),;\s$]+", re.DOTALL)
_NAME = re.compile(rb"[A-Za-z_@][A-Za-z0-9_. -]*")
_LISTING = re2.compile(rb"(?i)\b(?:insert|replace|upsert|values|copy|row)\b|\)\s*=")
_VERB = re2.compile(rb"(?i)\b(?:where|set|having|and|or|on|when|if)\b")
_IN = re.compile(rb"(?i)\s*(?:not\s+)?in\s*\(")
_WRAPPED = re.compile(rb"\s*[A-Za-z_][\w.]*\s*\(\s*")
_OPERATOR = re.compile(
    rb"(?i)\s*(?:=|<>|!=|==|<=>|!?~\*?|\b(?:not\s+)?i?like\b|\bsimilar\s+to\b|\bis\b|\beq\b)\s*"
)
_SET_TO = re.compile(rb"(?i)\s+to\s+(?=['\"])")
_BIND = re.compile(rb"\s*(?:=>|:=|=)\s*")

IsSecret = Callable[[str], bool]


@dataclass(slots=True)
class _Budget:
    """How much more of one text's lists is looked at: lists that open without an end would be read again
    and again."""

    left: int = MAX_CELLS

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Withheld("match-limit")


class Statements:
    """Finds the literals of columns and options that a field rule names."""

    def __init__(self, hints: bytes, is_secret: IsSecret) -> None:
        self._is_secret = is_secret
        self._compared = re2.compile(
            rb"[\w.@]*(?i:"
            + hints
            + rb")\w*[\"`\]]?\s*(?i:<?=>?|<>|!=|!?~\*?|(?:not\s+)?i?like|similar\s+to|is|to|eq|(?:not\s+)?in)"
            rb"\s*(?:[A-Za-z_][\w.]*\s*)?(?:\(\s*)?(?:[ENneU]?&?['\"$]|[-0-9])"
        )
        self._reversed = re2.compile(rb"['0-9]\s*=\s*[\"`\[]?([\w.]*(?i:" + hints + rb")\w*)")
        self._option = re2.compile(
            rb"(?i)(?:^|[\s(,;@])(?:password|passphrase|secret|secret_key|aws_secret_key"
            rb"|identified\s+by(?:\s+(?:password|values))?"
            rb"|identified\s+with\s+\S+\s+(?:by|as)|pragma\s+(?:hex)?key|\bkey)\s*[=(]?\s*(?:[en]?['\"]|\$)"
        )
        self._bare_option = re2.compile(rb"(?i)\bidentified\s+by\s+([^\s'\";,()<>$]+)")
        self._declared = re2.compile(
            rb"@(\w*(?i:" + hints + rb")\w*)\s+(?:(?i:as)\s+)?\w+(?:\s*\([\w\s,]*\))?\s*=\s*[NE]?'"
        )
        self._pair = re2.compile(rb"\(\s*'([^'\n]*(?i:" + hints + rb")[^'\n]*)'\s*,\s*'")

    def find(self, text: bytes) -> Iterator[Field]:
        """Every literal."""
        if _LISTING.search(text):
            yield from self._lists(text)
            yield from self._copied(text)
        yield from self._options(text)
        yield from self._comparisons(text)

    def _secret_columns(self, listed: bytes) -> dict[int, str]:
        """Position to name of the secret columns in a list."""
        names = [_NAME.search(part) for part in listed.split(b",")[:MAX_COLUMNS]]
        plain = [match[0].strip().decode().rpartition(".")[2] if match else "" for match in names]
        return {index: name for index, name in enumerate(plain) if name and self._is_secret(name)}

    def _lists(self, text: bytes) -> Iterator[Field]:
        match: Any
        budget = _Budget()
        for match in _INSERT.finditer(text):
            secret = self._secret_columns(match.group(1))
            yield from _cells(text, match.end(), secret, budget, bare=match.group(2) is not None)
        for match in _WITH.finditer(text):
            yield from _cells(text, match.end(), self._secret_columns(match.group(1)), budget)
        for match in _TUPLE_SET.finditer(text):
            yield from _cells(text, match.start(2), self._secret_columns(match.group(1)), budget)
        for match in _ALIASED.finditer(text):
            secret = self._secret_columns(match.group(1))
            low = max(0, match.start() - MAX_STATEMENT)
            at = text[low : match.start()].lower().rfind(b"values") + low if secret else -1
            if at >= low:
                yield from _cells(text, at + 6, secret, budget)

    def _copied(self, text: bytes) -> Iterator[Field]:
        """The lines behind COPY ... FROM stdin, to the line `\\.`."""
        match: Any
        at = 0
        for match in _COPY.finditer(text):
            if match.start() < at:
                continue
            secret = self._secret_columns(match.group(1))
            mark = b"," if b"csv" in match.group(2).lower() else b"\t"
            at = match.end()
            while secret and at < len(text) and not text.startswith(b"\\.", at):
                end = text.find(b"\n", at)
                end = len(text) if end < 0 else end
                cell = at
                for column, value in enumerate(text[at:end].rstrip(b"\r").split(mark)):
                    if column in secret and value not in (b"\\N", b"") and not is_hollow(value):
                        name = secret[column]
                        yield Field(name, marker_type(name), cell, cell + len(value))
                    cell += len(value) + 1
                at = end + 1

    def _options(self, text: bytes) -> Iterator[Field]:
        match: Any
        for match in self._option.finditer(text):
            literal = _LITERAL.match(text, match.end() - 1) or _LITERAL.match(text, match.end() - 2)
            word = match.group(0).strip(b" \t\r\n(,;@").lower()
            name = "key" if b"key" in word else "secret" if word.startswith(b"secret") else "password"
            if literal and not (name == "key" and len(_place(literal)[2]) < 4):
                yield from _literal(literal, name)
        for match in self._declared.finditer(text):
            literal = _LITERAL.match(text, match.end() - 1)
            if literal and self._is_secret(match.group(1).decode()):
                yield from _literal(literal, match.group(1).decode())
        for match in self._bare_option.finditer(text):
            if not _USER.search(text, max(0, match.start() - USER_REACH), match.start()):
                continue  # "a file identified by its name"
            if not is_placeholder(match.group(1)) and match.group(1).lower() not in (
                b"values",
                b"external",
                b"password",
            ):
                yield Field("password", "PASSWORD", *match.span(1))
        for match in self._pair.finditer(text):
            name = match.group(1).decode("utf-8", "replace")
            literal = _LITERAL.match(text, match.end() - 1)
            if literal and self._is_secret(name):
                yield from _literal(literal, name)

    def _comparisons(self, text: bytes) -> Iterator[Field]:
        budget = _Budget()
        match: Any
        for match in self._compared.finditer(text):
            low = match.start()
            name = re.match(rb"[\w.@]+", text[low : low + 256])
            if not name or not self._is_secret(name[0].decode().rpartition(".")[2].lstrip("@")):
                continue
            plain = name[0].decode().rpartition(".")[2].lstrip("@")
            if _VERB.search(text, max(0, low - VERB_REACH), low):
                at = low + name.end()
                at += text[at : at + 1] in (b'"', b"`", b"]")
                yield from _right_side(text, at, plain, budget)
        for match in self._reversed.finditer(text):
            name_text = match.group(1).decode().rpartition(".")[2]
            if text[match.start() : match.start() + 1] == b"'" and self._is_secret(name_text):
                start = text.rfind(b"'", max(0, match.start() - VERB_REACH), match.start())
                literal = _LITERAL.match(text, start) if start >= 0 else None
                if literal and _VERB.search(text, max(0, start - VERB_REACH), start):
                    yield from _literal(literal, name_text)


def _right_side(text: bytes, at: int, name: str, budget: _Budget) -> Iterator[Field]:
    """The literals that a column is compared with or set to."""
    many = _IN.match(text, at)
    if many:
        for item in _CELL.finditer(text, many.end()):
            budget.spend()
            if item[0] == b")":
                return
            yield from _literal(item, name)
        return
    operator = _OPERATOR.match(text, at) or _SET_TO.match(text, at)
    if not operator:
        return
    wrapped = _WRAPPED.match(text, operator.end())
    cell = _CELL.match(text, wrapped.end() if wrapped else operator.end())
    if cell and not (cell[2] is not None and is_placeholder(cell[2])):
        yield from _literal(cell, name)


def _cells(
    text: bytes, at: int, secret: dict[int, str], budget: _Budget, *, bare: bool = False
) -> Iterator[Field]:
    """The cells of `(..), (..)` that belong to secret columns; `bare` for a list without brackets (SELECT
    1, 'x')."""
    depth, column = int(bare), 0
    while secret:
        budget.spend()
        cell = _CELL.match(text, at) or _CELL.search(text, at)
        if cell is None:
            return
        at, word = cell.end(), cell[0]
        if word == b"(":
            depth, column = depth + 1, column if depth else 0
        elif word == b")":
            depth -= 1
        elif word == b"," and depth == 1:
            column += 1
        elif (depth == 0 and word != b",") or word == b";" or (bare and word.lower() == b"from"):
            return
        elif depth and column in secret:
            yield from _literal(cell, secret[column])


def _place(literal: re.Match[bytes]) -> tuple[int, int, bytes]:
    group = next((g for g in (1, 2, 4) if literal[g] is not None), 0)
    return literal.start(group), literal.end(group), literal[group]


def _literal(cell: re.Match[bytes], name: str) -> Iterator[Field]:
    """The inside of a literal, or a number."""
    if cell.re.groups > 4 and cell[5] is not None:
        yield Field(name, marker_type(name), cell.start(5), cell.end(5))
    elif any(cell[group] is not None for group in (1, 2, 4)):
        start, end, value = _place(cell)
        if not is_hollow(value):
            yield Field(name, marker_type(name), start, end)
