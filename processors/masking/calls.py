"""Secrets that a call hands over: `page.fill("#password", "x")`, `field.send_keys("x")`, `setPassword("x")`.

Agents that drive browsers write such code, and send the same as a tool's arguments:
`{"selector": "#password", "text": "x"}`. What is typed is secret where the selector, the label or the
variable before it names a secret field; what is set or built, where the method's own name does.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import re2

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import Field, marker_type, normal_name
from tachograph.processors.masking.validators import has_digit, is_hollow, is_placeholder, random_like

MAX_TYPED = 256
"""More than that is no secret that somebody types."""
MIN_TYPED = 3
REACH = 400
"""How far before a call its selector may begin, and how long what stands between two members may be."""
MAX_CALLS = 20_000
"""Calls that type or set something in one text; with more it is withheld."""

_TYPES = rb"(?i:fill|type|send_?keys|press_?sequentially|set_?value|type_?text|enter_?text|input_?text|val)"
_GIVES = rb"(?i:set|with|use|add|update|change|put)_?"
_QUOTE = rb"[\"'`]"
GATE = rb"\." + _TYPES + rb"\(\s{0,16}" + _QUOTE
"""What a text has that types something somewhere."""
_typing: Any = re2.compile(rb"\." + _TYPES + rb"\(\s{0,16}")
_LITERAL = re.compile(
    rb"\"((?:[^\"\\\n]|\\.){0,512}+)\"|'((?:[^'\\\n]|\\.){0,512}+)'|`((?:[^`\\\n]|\\.){0,512}+)`"
)
_COMMA = re.compile(rb"\s{0,16},\s{0,16}")
_VARIABLE = re.compile(rb"[\w$.]{1,128}\Z")
_APART = re.compile(rb"; |\":[ ]?\"|\",[ ]?\"")
"""Between two statements, or two strings in JSON that code stands in."""
_QUOTED = re.compile(rb"(?=[\"'`]([^\"'`]{1,200})[\"'`])")
"""Between any two quotes: which of them opens is lost where code stands in a string."""
_CLOSED = re.compile(rb"\s{0,16}[,)]")
_LABEL: Any = re2.compile(
    rb"\"(?i:selector|locator|element|xpath|css|css_?selector|target|label|placeholder|field|field_?name"
    rb"|parameter_?key)\"\s*:\s*\"((?:[^\"\\]|\\.){1,256})\""
)
_MEMBERS = rb'(?:\s*,\s*"[^"\\]{0,64}"\s*:\s*(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s",{}\[\]]{1,64})){0,6}?'
_TEXT = rb'"(?i:text|value|keys|content|to|input|new_?value|parameter_?value)"\s*:\s*'
_AFTER = re.compile(_MEMBERS + rb"\s*,\s*" + _TEXT + rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_BEFORE = re.compile(_TEXT + rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"' + _MEMBERS + rb"\s*,\s*\Z", re.DOTALL)
_LOOSE = frozenset({
    "auth", "authorization", "bearer", "cookie", "cookies", "csrf", "xsrf", "sas", "sig", "pan", "assertion",
    "credential", "credentials", "dsn", "birthday", "secrets",
})  # fmt: skip
"""Names of secrets that in a selector are words of the page."""
_ON_PAGES = frozenset({"one_time_code", "security_answer", "recovery_phrase"})
_CHOSEN = ("pass", "pwd", "pw", "psk", "secret", "pin", "otp")

IsSecret = Callable[[str], bool]


class Calls:
    """Finds what calls and tools type into secret fields, and what setters are given."""

    def __init__(self, hints: bytes, is_secret: IsSecret) -> None:
        self._is_secret = is_secret
        self.gate = GATE + rb"|" + _GIVES + rb"\w{0,32}(?i:" + hints + rb")\w{0,32}\(\s{0,16}" + _QUOTE
        self._given: Any = re2.compile(
            rb"\b(?:" + _GIVES + rb")(\w{0,32}(?i:" + hints + rb")\w{0,32})\(\s{0,16}"
        )
        self._worth: Any = re2.compile(rb"(?i)" + hints)

    def find(self, text: bytes) -> Iterator[Field]:
        """Every value, from calls in code."""
        match: Any
        for match in _counted(_typing.finditer(text)):
            yield from self._typed(text, match.start(), match.end())
        for match in _counted(self._given.finditer(text)):
            name = match.group(1).decode("utf-8", "replace")
            literal = _LITERAL.match(text, match.end())
            if literal and _CLOSED.match(text, literal.end()) and self._is_secret(name):
                yield from _field(name, literal, odd=not _is_chosen(name))

    def _typed(self, text: bytes, dot: int, at: int) -> Iterator[Field]:
        """`.fill(selector, value)`, or `selector.fill(value)`."""
        first = _LITERAL.match(text, at)
        if not first:
            return
        comma = _COMMA.match(text, first.end())
        second = _LITERAL.match(text, comma.end()) if comma else None
        if second:
            name = self.named(_inside(first))
            if name:
                yield from _field(name, second)
            return
        name = self._aimed_at(text[max(0, dot - REACH) : dot + 1])
        if name:
            yield from _field(name, first)

    def _aimed_at(self, lead: bytes) -> str:
        """The secret's name in what the calls before this dot were given, else in the variable."""
        if not self._worth.search(lead):
            return ""
        line = lead[lead.rfind(b"\n") + 1 :]
        while line.lstrip().startswith(b".") and len(line) < len(lead):  # the chain began further up
            line = lead[lead.rfind(b"\n", 0, len(lead) - len(line) - 1) + 1 :]
        statement = _APART.split(line)[-1][:-1]
        given = [segment[1] for segment in _QUOTED.finditer(statement)]
        variable = _VARIABLE.search(statement)
        given += [variable[0]] if variable else []
        return next(filter(None, map(self.named, given)), "")

    def arguments(self, text: bytes) -> Iterator[Field]:
        """Every value, from members of a JSON object beside one that says where it goes."""
        match: Any
        labels = (match for match in _LABEL.finditer(text) if self._worth.search(match.group(1)))
        for match in _counted(labels):
            name = self.named(match.group(1))
            if not name:
                continue
            opening = max(text.rfind(b"{", max(0, match.start() - REACH), match.start()), 0)
            value = _AFTER.match(text, match.end(), match.end() + 4 * REACH) or _BEFORE.search(
                text, opening, match.start()
            )
            if value:
                yield from _field(name, value)

    def named(self, selector: bytes) -> str:
        """The secret's name in a selector, a label or a variable; "" if there is none."""
        words = normal_name(selector.decode("utf-8", "replace")).split("_")
        runs = ("_".join(words[at : at + size]) for size in (3, 2, 1) for at in range(len(words) - size + 1))
        return next(
            (one for one in runs if one not in _LOOSE and (one in _ON_PAGES or self._is_secret(one))), ""
        )


def _counted(matches: Iterator[Any]) -> Iterator[Any]:
    for count, match in enumerate(matches):
        if count >= MAX_CALLS:
            raise Withheld("match-limit")
        yield match


def _is_chosen(name: str) -> bool:
    return any(part in normal_name(name) for part in _CHOSEN)


def _inside(match: re.Match[bytes]) -> bytes:
    return match[match.lastindex] if match.lastindex else b""


def _field(name: str, literal: re.Match[bytes], *, odd: bool = False) -> Iterator[Field]:
    """The literal's inside, if somebody may type it; `odd` asks for more than a word."""
    value = _inside(literal)
    if not MIN_TYPED <= len(value) <= MAX_TYPED or is_hollow(value) or is_placeholder(value):
        return
    if odd and not has_digit(value) and not random_like(value):
        return
    yield Field(name, marker_type(name), *literal.span(literal.lastindex or 0))
