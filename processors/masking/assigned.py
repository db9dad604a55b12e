"""Values assigned to a secret name in text: YAML, .env files and shells, INI, TOML, properties, code.

A value is taken as its writer meant it: a quoted one to its closing quote, over lines if need be; a YAML
block (`|`, `>`) to its last line; what is nested under the name as a whole; a bare one to the end of its
word or line. Where the text is a configuration line (`NAME=value`, `name: value` alone on a line), any
value counts. Within prose and code a bare word may be a variable or just the next word, so there it must
look like no word.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import re2

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.validators import (
    is_expression,
    is_hollow,
    is_placeholder,
)

MAX_QUOTED = 64 * 1024
"""How far a quoted value may reach; a quote that stands open longer is none."""
MAX_WORD = 1024
"""A longer word is first looked at up to there."""
MAX_NAMES = 20_000
"""Assignments to secret names in one text; with more it is withheld."""
MAX_LEAD = 256
"""What stands before a name on its line, at most, for the line to be an assignment."""

_LEAD = re.compile(
    rb"(?i)[ \t]*(?:(?:[-+>*?]+|data:|export|set|setenv|env|arg|local|readonly"
    rb"|declare(?:[ \t]+-[a-z]+)?|typeset)[ \t]+)*"
    rb"(?:\$env:|[\"'`])?\Z"
)
_STRING_LEAD = re.compile(rb'.*[:\[,][ ]?"(?=[^"]*\Z)')
_STRING_END = re.compile(rb'"\s*(?:[}\]]|,\s*(?:"[^"\n]{0,64}"\s*:|[{\[]))')
"""Where a string in JSON ends, seen from within it."""
_BLOCK = re.compile(rb"[|>][-+0-9]{0,2}[ \t]*(?:#[^\n]*)?\r?\n")
_EMPTY = re.compile(rb"(?:#[^\n]*)?\r?\n")
_TAG = re.compile(rb"(?:(?:!{1,2}[\w/:.]*|&\w+)[ \t]+)+")
_OPENING = re.compile(rb"(?:@|\$|[rRbBfFuNE]{1,2})?(\"\"\"|'''|\"|'|`|\$\$)")
_TYPED = re.compile(rb"(?:string|str|String|\w+\??)[ \t]*=[ \t]*(?=[\"'`])")
_CALL = re.compile(rb"[A-Za-z_][\w.]*\([ \t]*(?=[NE]?['\"])")
_FLOW = re.compile(rb"\[([^\[\]{}()\n]{1,1024})\]")
_ITEM = re.compile(rb"[ \t]*([\"']?)([^\"',\n]+)\1[ \t]*(?:,|\Z)")
_WORD = re.compile(rb"[^\s\"'`<>,;)\]}|&\\]{1,1024}")
_SHELL_WORD = re.compile(rb"(?:\\.|[^\s\"'`;&|<>\\]){1,1024}")
_WORD_END = re.compile(rb"[^\s\"'`;&|<>\\]*")
_REST = re.compile(rb"[^\r\n]{0,1024}")
_COMMENT = re.compile(rb"[ \t](?:#|//)")
_TYPE_WORD = re.compile(
    rb"(?i)(?:str(?:ing)?|int(?:eger)?|number|bool(?:ean)?|bytes?|any|object|array|list|dict|float"
    rb"|double|void|char"
    rb"|text|varchar(?:\(\d+\))?|uuid|self|this|required|optional|yes|no|on|off|unset|missing"
    rb"|invalid|expired|ok)[?!,;\[\]]*\Z"
)
_CLASS_WORD = re.compile(rb"(?:[A-Z][a-z]+){1,6}(?:[?!,;]|\[\])*\Z")
_IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z_.]*\Z")
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
_DIGIT = re.compile(rb"[0-9]")
_MARK = re.compile(rb"[!#$%^&*+@?~]")
_JSON = frozenset(bytes([mark]) for mark in b'"{[0123456789-')
_LOUD = re.compile(rb"(?:\A|[^\w.])[A-Z][A-Z0-9_]*=\Z")
_KEY_LINE = re.compile(
    rb"[ \t]*(?:-[ \t]+)*(?:[\"']?[\w.$/-]{1,128}[\"']?[ \t]*:(?:[ \t]+|\Z))?[\"']?([^\n]*?)[\"']?[ \t]*\r?\Z"
)

IsSecret = Callable[[str], bool]
Spot = tuple[int, int]


class Assigned:
    """Finds what is assigned to names that a field rule lists."""

    def __init__(self, hints: bytes, is_secret: IsSecret) -> None:
        self._is_secret = is_secret
        self._gate = re2.compile(
            rb"([\w.@-]*(?i:" + hints + rb")[\w.-]*)"
            rb"([\"'`\])*]{0,4}[ \t]*(?::=|=>|->|==|=|::? |:)[ \t]*)"
        )

    def find(self, text: bytes, *, yaml: bool = False) -> Iterator[Field]:
        """Every value; `yaml` says that the whole text is YAML, by its content type."""
        done = names = 0
        match: Any
        for match in self._gate.finditer(text):
            start, at = match.start(), match.end()
            if start < done or not self._is_secret(match.group(1).decode("utf-8", "replace").strip(".-@")):
                continue
            if text[start - 1 : start] in (b"?", b"&") and start:  # a parameter of a URL
                continue
            if (
                b'"' in match.group(2)
                and b":" in match.group(2)
                and text[start - 1 : start] == b'"'
                and text[at : at + 1] in _JSON
            ):
                continue  # a member of a JSON object
            name = match.group(1).decode("utf-8", "replace").strip(".-@")
            names += 1
            if names > MAX_NAMES:
                raise Withheld("match-limit")
            spots = self._spots(text, start, match.group(2), at, yaml=yaml)
            for low, found_end in (_in_string(text, spot) for spot in spots):
                # Words are first looked at up to their limit.
                high = found_end if found_end - low < MAX_WORD else _more(text, found_end)
                if low < high and not is_hollow(text[low:high]):
                    done = max(done, high)
                    yield Field(name, marker_type(name), low, high)

    def _spots(self, text: bytes, start: int, mark: bytes, at: int, *, yaml: bool) -> Iterator[Spot]:
        line = text.rfind(b"\n", max(0, start - MAX_LEAD), start) + 1
        if not line and start > MAX_LEAD:
            line = start - MAX_LEAD
        lead = text[line:start]
        string = _STRING_LEAD.match(lead)
        if string:  # the first line of a string in JSON begins behind its quote
            line, lead = line + string.end(), lead[string.end() :]
        alone = bool(_LEAD.match(lead))
        colon = b":" in mark and b"=" not in mark
        tag = _TAG.match(text, at) if colon else None
        at = tag.end() if tag else at
        block = _BLOCK.match(text, at) if colon else None
        if block:
            yield from _nested(text, line, start, block.end(), whole=True)
            return
        if alone and colon and _EMPTY.match(text, at):
            yield from _nested(text, line, start, text.find(b"\n", at) + 1, whole=False)
            return
        yield from self._scalar(text, at, alone=alone, colon=colon, yaml=yaml, mark=mark)

    def _scalar(
        self, text: bytes, at: int, *, alone: bool, colon: bool, yaml: bool, mark: bytes
    ) -> Iterator[Spot]:
        typed = _TYPED.match(text, at) if colon else None
        call = _CALL.match(text, at)
        at = typed.end() if typed else call.end() if call else at
        quoted = _quoted(text, at)
        if quoted:
            if not is_expression(text[slice(*quoted)]) or yaml:
                yield quoted
            return
        flow = _FLOW.match(text, at)
        if flow and (alone or colon):
            for item in _ITEM.finditer(flow[1]):
                value = item[2].strip()
                if item[1] or _odd(value) or yaml:
                    yield flow.start(1) + item.start(2), flow.start(1) + item.start(2) + len(value)
            return
        yield from self._bare(
            text,
            at,
            alone=alone,
            colon=colon,
            yaml=yaml,
            tight=not mark.strip(b"\"'`])*").startswith((b" ", b"\t")) and mark[-1:] not in b" \t",
        )

    def _bare(
        self, text: bytes, at: int, *, alone: bool, colon: bool, yaml: bool, tight: bool
    ) -> Iterator[Spot]:
        rest = _REST.match(text, at)
        line = _COMMENT.split(rest[0], 1)[0].rstrip() if rest else b""
        if yaml and alone:
            end = at + len(line)
            yield at, _folded(text, at, end)
            return
        word = (_SHELL_WORD if tight and not colon else _WORD).match(text, at)
        if not word:
            return
        value = word[0].rstrip(b".,;:!?") if not tight else word[0]
        if (alone and line.rstrip(b",;") == word[0].rstrip(b",;")) or (alone and tight and not colon):
            certain = not line.endswith((b",", b";")) and (tight or not _IDENTIFIER.match(value) or colon)
            if certain and line == word[0] and _stands(value, colon=colon):
                yield at, at + len(value)
                return
            if tight and not colon and _stands(value, colon=False):
                yield at, at + (len(line) if _words(line[len(value) :]) else len(value))
                return
        if (
            (_odd(value) or (tight and not colon and _stands(value, colon=False) and _named_loudly(text, at)))
            and not is_placeholder(value)
            and not is_expression(value)
        ):
            yield at, at + len(value)


def _in_string(text: bytes, spot: Spot) -> Spot:
    """The spot, if it runs over the end of the JSON string that it lies in, as far as there."""
    low, high = spot
    end = _STRING_END.search(text, low, high)
    if end and b"{" not in text[low : end.start()] and b"[" not in text[low : end.start()]:
        return low, end.start()
    return spot


def _more(text: bytes, at: int) -> int:
    rest = _WORD_END.match(text, at)
    return rest.end() if rest else at


def _named_loudly(text: bytes, at: int) -> bool:
    """Whether the name before `=` is in capitals, as variables of an environment are."""
    name = _LOUD.search(text[max(0, at - 64) : at])
    return bool(name)


def _words(rest: bytes) -> bool:
    """Whether what follows on the line is more of the value: words, and no further assignment or command."""
    return bool(rest.strip()) and not re.search(rb"[=/;&|<>#-]", rest)


def _stands(value: bytes, *, colon: bool) -> bool:
    """Whether a value that stands alone on its line may be one."""
    if is_placeholder(value) or is_expression(value) or _TYPE_WORD.match(value):
        return False
    return not (colon and _CLASS_WORD.match(value))


def _odd(value: bytes) -> bool:
    """Whether this is no word and no name: digits among letters, or marks that names do not have."""
    if len(value) < 4 or _IDENTIFIER.match(value):
        return False
    letters = bool(_LETTER.search(value))
    digits = bool(_DIGIT.search(value))
    return (digits and (letters or len(value) >= 6)) or (letters and bool(_MARK.search(value)))


def _quoted(text: bytes, at: int) -> Spot | None:
    """The inside of a quoted value; of one whose quote stays open, the rest of its line."""
    opening = _OPENING.match(text, at)
    if not opening:
        return None
    quote, start = opening[1], opening.end()
    end = start
    while True:
        end = text.find(quote, end, start + MAX_QUOTED)
        if end < 0:
            rest = _REST.match(text, start)
            return (start, rest.end()) if rest else None
        lead = end
        while lead > start and text[lead - 1] == 0x5C:
            lead -= 1
        if (end - lead) % 2 == 0 or quote == b"$$":
            break
        end += 1
    if (
        len(quote) == 1
        and text.find(b"\n", start, end) >= 0
        and not re.match(rb"[ \t]*(?:[,;)\]}#]|\r?\n|\Z)", text[end + 1 : end + 80])
    ):
        end = text.find(b"\n", start, end)  # an apostrophe further on is none of this value's
    return start, end


def _nested(text: bytes, line: int, name_at: int, at: int, *, whole: bool) -> Iterator[Spot]:
    """The lines below that are indented deeper than the name: one block, or a value a line."""
    lead = text[line:name_at]
    indent = len(lead) - len(lead.lstrip(b" \t"))
    column = indent + len(lead.strip(b" \t\"'"))  # behind `- `
    first = last = -1
    while at < len(text):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        content = text[at:end].strip()
        depth = len(text[at:end]) - len(text[at:end].lstrip(b" \t"))
        if content:
            deeper = depth > indent or (
                not whole and depth == indent and content.startswith(b"- ") and column == indent
            )
            if not deeper:
                break
            first = at + depth if first < 0 else first
            last = at + depth + len(content)
            if not whole:
                yield from _member(text, at, end)
        at = end + 1
    if whole and first >= 0:
        yield first, last


def _member(text: bytes, start: int, end: int) -> Iterator[Spot]:
    """The value of one line in a mapping or list."""
    member = _KEY_LINE.match(text[start:end])
    if member and member[1] and not _BLOCK.match(member[1] + b"\n"):
        yield start + member.start(1), start + member.end(1)


def _folded(text: bytes, at: int, end: int) -> int:
    """Where a plain YAML scalar ends that goes on in deeper lines."""
    line = text.rfind(b"\n", 0, at) + 1
    indent = len(text[line:at]) - len(text[line:at].lstrip(b" \t-"))
    while True:
        following = text.find(b"\n", end)
        if following < 0:
            return end
        stop = text.find(b"\n", following + 1)
        stop = len(text) if stop < 0 else stop
        content = text[following + 1 : stop]
        if not content.strip() or len(content) - len(content.lstrip(b" \t")) <= indent or b": " in content:
            return end
        end = following + 1 + len(content.rstrip())
