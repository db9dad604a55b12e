"""Values found by the name before them: JSON members, query and form pairs, multipart fields, XML elements.

Works on any view, so JSON in a string in JSON is read at the layer where its quotes are plain. A string value
is taken to its real end (escapes honoured), a number or a whole object under a secret name is taken too.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

import orjson
import re2

from tachograph.processors.masking import commands, labelled, manifests, statements
from tachograph.processors.masking.assigned import Assigned
from tachograph.processors.masking.calls import Calls
from tachograph.processors.masking.commands import Commands
from tachograph.processors.masking.delimited import Delimited
from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import Field, FieldMatcher, FieldRules, marker_type, normal_name
from tachograph.processors.masking.jsontables import JsonTables
from tachograph.processors.masking.markup import Markup
from tachograph.processors.masking.programs import Program
from tachograph.processors.masking.prose import Prose
from tachograph.processors.masking.statements import Statements
from tachograph.processors.masking.validators import is_hollow

SCHEMA_REACH = 64 * 1024
"""The largest JSON Schema under a secret name that is read as one."""
MAX_CONTENTS = 50_000
"""Values in one object or list under a secret name."""
MAX_SCHEMAS = 1000
"""Objects read as a JSON Schema in one text; later ones are taken whole."""

PART_REACH = 4096
"""How far before its Content-Disposition the boundary of a part is looked for."""
DELIMITED = frozenset({"text/csv", "text/tab-separated-values", "application/csv", "text/tsv"})

_BRACKETS = re.compile(r"[\[\].]+")
_STRING_BODY = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_BARE = re.compile(rb"[-+]?[0-9][0-9.eE+-]*")  # a boolean of its own is a flag: "secret": true
_TOKEN = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"(\s*:)?|[-+]?[0-9][0-9.eE+-]*|true\b|false\b|[\[\]{}]', re.DOTALL
)
_ESCAPED_KEY = re.compile(rb'"([^"\\]{0,64}\\u(?:[^"\\]|\\.){1,128})"\s*:\s*')
_SCHEMA = re.compile(
    rb'\{[^{}\[\]]{0,400}"type"\s*:\s*(?:\[\s*)?"(?:string|number|integer|boolean|object|array|null)"'
)
_SCHEMA_VALUES = frozenset({b'"default"', b'"example"', b'"examples"', b'"const"', b'"enum"'})


def _hints(rules: FieldRules) -> bytes:
    """One word of every name, to find the few names worth a look among thousands."""
    words = set()
    for name in (*rules.json_keys, *rules.query_names):
        folded = "*" not in name and name.isascii()  # others are looked for as they are written
        parts = normal_name(name).split("_") if folded else re.split(r"[_*]+", name.lower())
        words.add(max(parts, key=len))
    words = {w for w in words if w}
    shortest = [w for w in words if not any(o != w and o in w for o in words)]
    return b"|".join(re.escape(w.encode()) for w in sorted(shortest)) or rb"\x00\x00"


class NamedValues:
    """Finds what the field rules name in a text."""

    def __init__(self, rules: FieldRules, *, strict: bool = True) -> None:
        self._matcher = FieldMatcher(rules)
        hints = _hints(rules)
        name = rb"[A-Za-z0-9_.\-\[\]$+%:]*"
        self._member = re2.compile(rb'"([^"\\]*(?i:' + hints + rb')[^"\\]*)"\s*:\s*(?:data:\s*)?')
        self._pair = re2.compile(rb"(?:^|[?&;#,])(" + name + rb"(?i:" + hints + rb")" + name + rb")=")
        self._pair_value = re.compile(rb"[^&#\s\"'<>\\;`]*")
        self._form_value = re.compile(rb"[^&#\s]*")  # here nothing else ends a value (WHATWG URL 5.1)
        self._disposition = re2.compile(
            rb"(?i)content-disposition:[^\r\n]{0,256}?(?:\r?\n[ \t][^\r\n]{0,256}?)?"
            rb"\bname(?:=[\"']?([^\"'\r\n;]{1,128})"
            rb"|\*=[\w-]*'[\w-]*'([^\r\n;]{1,128}))[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n"
        )
        is_key = self._matcher.keys.match
        self._markup = Markup(hints, is_key)
        self._statements = Statements(hints, is_key)
        self._json_tables = JsonTables(hints, is_key)
        self._delimited = Delimited(hints, is_key)
        self._assigned = Assigned(hints, is_key) if strict else None
        self._commands = Commands(hints, is_key)
        self._calls = Calls(hints, is_key)
        # One pass for what few texts have: statements, command lines, options, calls.
        gates = (statements.GATE, commands.GATE, self._commands.option, self._calls.gate)
        self._spoken_to = re2.compile(b"|".join(gates))
        self._prose = Prose(strict=strict)
        self._loose = re2.compile(b"(?:" + self._delimited.gate + b")|(?:" + self._prose.gate + b")")

    def find(
        self, text: bytes, *, form: bool = False, kind: str = "", inside: bool = False
    ) -> Iterator[Field]:
        """Everything named; `form` says that the text itself is a query or a form, `kind` is its media type.

        `inside` says that this is JSON as it stands: what its strings say is read in the layers below.
        """
        if b'"' in text:
            yield from self._members(text)
            yield from self._json_tables.find(text)
            yield from self._calls.arguments(text)
        yield from self._labelled(text)
        yield from manifests.find(text)
        if not inside:
            yield from self._in_text(text, form=form, kind=kind)

    def _in_text(self, text: bytes, *, form: bool, kind: str) -> Iterator[Field]:
        """What other forms than JSON name."""
        if b"=" in text:
            yield from self._pairs(text, form=form)
        if b"<" in text:
            yield from self._markup.find(text)
        if b"isposition" in text:
            yield from self._multipart(text)
        program = Program(text)
        yield from (
            found for found in self._loosely(text, form=form, kind=kind) if not program.is_word(found)
        )

    def _loosely(self, text: bytes, *, form: bool, kind: str) -> Iterator[Field]:
        """What the notation around it does not mark as data: in a program's source it may be a word of it."""
        if self._spoken_to.search(text):
            yield from self._statements.find(text)
            yield from self._commands.find(text)
            yield from self._calls.find(text)
        if self._assigned and not form:
            yield from self._assigned.find(text, yaml="yaml" in kind)
        if kind in DELIMITED or b"|" in text or not text.isascii() or self._loose.search(text):
            yield from self._delimited.find(text, table=kind in DELIMITED)
            yield from self._prose.find(text)

    def is_key(self, name: str) -> bool:
        """Whether a value under this JSON key, column or argument is secret."""
        return self._matcher.keys.match(name)

    @property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """The JSON paths whose values are secret."""
        return self._matcher.paths

    def is_header(self, name: str) -> bool:
        """Whether a header of this name is secret."""
        return self._matcher.headers.match(name) or self._matcher.keys.match(name)

    def _members(self, text: bytes) -> Iterator[Field]:
        done = schemas = 0
        match: Any
        for match in self._keys(text):
            name = decoded(match.group(1))
            if match.start() < done or not self._matcher.keys.match(name):
                continue
            if text[match.end() : match.end() + 1] not in (b"{", b"["):
                yield from _value(text, match.end(), name, match.start())
                continue
            found = None
            if schemas < MAX_SCHEMAS and _SCHEMA.match(text, match.end()):
                schemas += 1
                found, _ = _contents(text, match.end(), (name, match.start()), reach=SCHEMA_REACH)
            if found is None:
                found, done = _contents(text, match.end(), (name, match.start()))
            yield from found or ()

    def _keys(self, text: bytes) -> Iterator[Any]:
        yield from self._member.finditer(text)
        if b"\\u" in text:
            yield from _ESCAPED_KEY.finditer(text)

    def _pairs(self, text: bytes, *, form: bool) -> Iterator[Field]:
        match: Any
        for match in self._pair.finditer(text):
            name = unquote_plus(match.group(1).decode("utf-8", "replace")).strip("\0 ")
            if not form and match.start() == match.start(1):
                continue
            value = (self._form_value if form else self._pair_value).match(text, match.end())
            if value and value[0] and self._is_parameter(name) and not is_hollow(value[0]):
                yield Field(name, marker_type(name), value.start(), value.end())

    def _is_parameter(self, name: str) -> bool:
        """Whether a parameter is secret by its name or by that of anything around it: `credentials[user]`."""
        return self._matcher.query.match(name) or (
            "[" in name and any(self._matcher.keys.match(part) for part in _BRACKETS.split(name) if part)
        )

    def _labelled(self, text: bytes) -> Iterator[Field]:
        for name, start, end, quote_at in labelled.find(
            text, self._matcher.keys.match, self._matcher.headers.match
        ):
            if end < 0:
                yield from _value(text, start, name, quote_at)
            elif not is_hollow(text[start:end]):
                yield Field(name, marker_type(name), start, end)

    def _multipart(self, text: bytes) -> Iterator[Field]:
        match: Any
        for match in self._disposition.finditer(text):
            name = unquote_plus((match.group(1) or match.group(2)).decode("utf-8", "replace"))
            end = _boundary(text, match.start(), match.end())
            if end > match.end() and self._is_parameter(name):
                yield Field(name, marker_type(name), match.end(), end)


def _boundary(text: bytes, heading: int, at: int) -> int:
    """Where the content of a part ends whose headers begin at `heading` (RFC 2046 5.1.1)."""
    lines = [line.rstrip(b"\r") for line in text[max(0, heading - PART_REACH) : heading].split(b"\n")]
    mark = next((line for line in reversed(lines) if line.startswith(b"--")), b"--")
    end = text.find(b"\n" + mark, at - 1)
    if end < 0:
        return len(text)
    return max(at, end - (text[end - 1 : end] == b"\r"))


def decoded(inner: bytes) -> str:
    """The inside of a JSON string as text, "" if it is none."""
    try:
        return str(orjson.loads(b'"' + inner + b'"'))
    except orjson.JSONDecodeError:
        return ""


def _value(text: bytes, at: int, name: str, quote_at: int) -> Iterator[Field]:
    """The string's inside or the number that starts at `at`."""
    if text[at : at + 1] == b'"':
        body = _STRING_BODY.match(text, at + 1)
        end = body.end() if body else len(text)
        if end > at + 1 and not is_hollow(text[at + 1 : end]):
            yield Field(name, marker_type(name), at + 1, end)
    else:
        number = _BARE.match(text, at)
        if number:
            yield Field(name, marker_type(name), at, number.end(), quote_at)


def _contents(
    text: bytes, at: int, named: tuple[str, int], *, reach: int = 0
) -> tuple[list[Field] | None, int]:
    """Every string and number in an object or list, and where it ends.

    With a `reach` it is read as a JSON Schema, of which only what may hold a value is taken; None if it
    does not end within the reach.
    """
    name, quote_at = named
    kind = marker_type(name)
    found: list[Field] = []
    depth, taken = 0, not reach
    for token in _TOKEN.finditer(text, at, min(len(text), at + reach) if reach else len(text)):
        word = token[0]
        if word in (b"{", b"["):
            depth += 1
        elif word in (b"}", b"]"):
            depth -= 1
            if depth <= 0:
                return found, token.end()
        elif token[1] is not None:
            taken = not reach or word[: len(word) - len(token[1])] in _SCHEMA_VALUES
        elif taken and word != b'""':
            quoted = word.startswith(b'"')
            place = (token.start() + quoted, token.end() - quoted)
            found.append(Field(name, kind, *place, -1 if quoted else quote_at))
            if len(found) > MAX_CONTENTS:
                raise Withheld("span-limit")
    return (None if reach else found), len(text)
