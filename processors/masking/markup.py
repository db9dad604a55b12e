"""Values in XML and HTML whose name is an element's, an attribute's or a neighbour's.

An element with a secret name is masked with all it holds: text, CDATA and the text of the elements in it.
So is one whose `name` or `key` attribute is a secret's (`<property name="password">x</property>`), and the
one beside a label: `<key>password</key><string>x</string>`, `<th>Password</th><td>x</td>`, `<dt>`,
`<label>`; and the cells below a table's heading. Attributes with a secret name are values too.
"""

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import re2

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.validators import is_hollow

REACH = 64 * 1024
"""How far the end of an element that a label names may lie."""
MAX_LABEL = 128
MAX_NESTED = 64
"""Elements of one name in one another whose end tags are told apart."""
MAX_CELLS = 100_000
"""Cells below the headings of one text; with more it is withheld."""

_REST = rb"(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*"
_PIECE = re.compile(rb"<!\[CDATA\[(.*?)(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<[^<>]*(?:>|\Z)|([^<]+)", re.DOTALL)
_ATTRIBUTE = re.compile(rb"[\s\"']([\w.:-]{1,128})\s*=\s*(?:\"([^\"<]*)\"|'([^'<]*)'|([^\s\"'<>]+))")
_NAMING = re2.compile(rb"(?i)<[\w.:-]+\s[^<>]*\b(?:name|key|id|type|property|http-equiv)\s*=")
_OPEN = re.compile(rb"<(?:[\w.-]+:)?([\w.-]+)((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>")
# The anti-forgery token in a page's hidden input: without the session's cookie, which is masked, nobody can
# use it. Sent back, in a form or a header, it goes by the field rules as any other token.
_HIDDEN = re.compile(rb"(?i)<input\s[^<>]*\btype\s*=\s*[\"']?hidden\b")
_ANTI_FORGERY = re.compile(
    r"(?i)authenticity_token|_?(?:csrf|xsrf)[_-]?(?:token)?|csrfmiddlewaretoken|__requestverificationtoken"
)
_LABELS = frozenset({b"name", b"key", b"id", b"property", b"type"})
_VALUES = frozenset({b"value", b"content", b"select", b"val", b"default", b"defaultvalue", b"text"})
_NOT_VALUES = frozenset({
    b"name", b"key", b"id", b"property", b"type", b"class", b"style", b"for", b"href", b"src", b"placeholder",
    b"label", b"title", b"autocomplete", b"minlength", b"maxlength", b"required", b"xmlns",
})  # fmt: skip
_LABEL_TEXT = re.compile(
    rb"<([\w.-]+)(?:\s[^<>]*)?>\s*([^<>]{1,128}?)\s*:?\s*</(\1)\s*>\s*<([\w.-]+)(?:\s[^<>]*)?(?<!/)>",
    re.IGNORECASE,
)
_LABELLING = frozenset(
    {b"key", b"name", b"th", b"td", b"dt", b"label", b"b", b"strong", b"span", b"field", b"variable"}
)
_LABELLED = frozenset({
    b"string", b"value", b"integer", b"real", b"data", b"td", b"dd", b"span", b"code", b"input", b"val", b"p",
})  # fmt: skip
_ROW = re.compile(rb"<tr[\s>].*?(?=<tr[\s>]|</table|\Z)", re.DOTALL | re.IGNORECASE)
_TABLE_CELL = re.compile(
    rb"<(t[hd])(?:\s[^<>]*)?>(.*?)(?=<t[hdr][\s>]|</t[hdr]\s*>|\Z)", re.DOTALL | re.IGNORECASE
)

IsSecret = Callable[[str], bool]


class Markup:
    """Finds values that markup names."""

    def __init__(self, hints: bytes, is_secret: IsSecret) -> None:
        self._is_secret = is_secret
        hinted = rb"[\w.-]*(?i:" + hints + rb")[\w.-]*"
        self._element = re2.compile(rb"<(?:[\w.-]+:)?(" + hinted + rb")(?:\s" + _REST + rb")?>")
        self._attribute = re2.compile(rb"[\s\"'](?:[\w.-]+:)?(" + hinted + rb")\s*=\s*[\"'][^<>]*>")
        self._label = re2.compile(rb">\s*(?:[^<>\n]*(?i:" + hints + rb")[^<>\n]*)\s*</")
        self._attributes_named = re2.compile(
            rb"<[\w.:-]+\s[^<>]*(?i:name|key|id|property|type)\s*=\s*[\"']?[^\"'<>]*(?i:"
            + hints
            + rb")[^<>]*>"
        )

    def find(self, text: bytes) -> Iterator[Field]:
        """Every value; only where the text closes an element or begins as a document."""
        whole = text[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
        if whole or b"</" in text or b"/>" in text:
            yield from chain(self._elements(text, whole=whole), self._attributes(text), self._named(text))
            yield from self._labelled(text)

    def _elements(self, text: bytes, *, whole: bool) -> Iterator[Field]:
        done = 0
        last: dict[bytes, int] = {}  # where the last end tag of each name lies
        match: Any
        for match in self._element.finditer(text):
            if match.start() < done or text[match.end() - 2 : match.end() - 1] == b"/":
                continue
            name = match.group(1).decode("utf-8", "replace")
            if not self._is_secret(name):
                continue
            tag = match.group(1)
            if tag not in last:
                last[tag] = max(
                    (m.start() for m in re.finditer(rb"</(?:[\w.-]+:)?" + re.escape(tag), text)), default=-1
                )
            end = _end_tag(text, tag, match.end(), len(text)) if last[tag] >= match.end() else -1
            if end < 0:
                if not whole:
                    continue
                end = len(text) if text.find(b"</", match.end()) < 0 else text.find(b"<", match.end())
            done = end
            yield from _texts(text, match.end(), end, name)

    def _attributes(self, text: bytes) -> Iterator[Field]:
        done = 0
        match: Any
        for match in self._attribute.finditer(text):
            opening = text.rfind(b"<", done, match.end())
            if opening < 0:
                continue
            done = match.end()
            for name, low, high in _attributes(text, opening, match.end()):
                plain = name.rpartition(b":")[2].decode("utf-8", "replace")
                if self._is_secret(plain) and not is_hollow(text[low:high]):
                    yield Field(plain, marker_type(plain), low, high)

    def _named(self, text: bytes) -> Iterator[Field]:
        """Elements that an attribute names: their value attributes, or what they hold."""
        match: Any
        for match in self._attributes_named.finditer(text):
            opening = text.rfind(b"<", match.start(), match.end())
            attributes = list(_attributes(text, opening, match.end()))
            name = next(
                (plain for key, low, high in attributes if key.lower() in _LABELS
                 and self._is_secret(plain := text[low:high].decode("utf-8", "replace"))), "",
            )  # fmt: skip
            if not name or (_ANTI_FORGERY.fullmatch(name) and _HIDDEN.match(text, opening)):
                continue
            values = [(low, high) for key, low, high in attributes if key.lower() in _VALUES]
            for low, high in values:
                if not is_hollow(text[low:high]):
                    yield Field(name, marker_type(name), low, high)
            tag = _OPEN.match(text, opening)
            if tag and not values and not tag[2].endswith(b"/"):
                end = _end_tag(text, tag[1], tag.end(), min(len(text), tag.end() + REACH))
                if end >= 0:
                    yield from _texts(text, tag.end(), end, name)

    def _labelled(self, text: bytes) -> Iterator[Field]:
        """The element behind one whose text is a secret's name, and the cells below a heading."""
        low, cells = b"", 0
        match: Any
        for match in self._label.finditer(text):
            opening = text.rfind(b"<", max(0, match.start() - MAX_LABEL), match.start() + 1)
            label = _LABEL_TEXT.match(text, opening) if opening >= 0 else None
            if opening < 0:
                continue
            name = text[match.start() + 1 : match.end() - 2].strip(b" \t\r\n:").decode("utf-8", "replace")
            if not self._is_secret(name):
                continue
            head = text[opening + 1 : opening + 4].lower()
            if head[:2] in (b"th", b"td") and not head[2:3].isalpha():
                low = low or text.lower()
                for spot in _below(text, low, opening):
                    cells += 1
                    if cells > MAX_CELLS:
                        raise Withheld("match-limit")
                    yield from _texts(text, *spot, name)
            if label and label[1].lower() in _LABELLING and label[4].lower() in _LABELLED:
                if (label[1].lower(), label[4].lower()) == (b"th", b"th"):
                    continue
                end = _end_tag(text, label[4], label.end(), min(len(text), label.end() + REACH))
                if end >= 0:
                    yield from _texts(text, label.end(), end, name)


def _below(text: bytes, low: bytes, opening: int) -> Iterator[tuple[int, int]]:
    """The cells of an HTML table under the heading at `opening`, if its row is one of headings; `low` is
    the text
    in lower case.
    """
    row = low.rfind(b"<tr", max(0, opening - REACH), opening)
    if row < 0 or low.find(b"<th", row, opening + 3) < 0:
        return
    column = len(_TABLE_CELL.findall(text, row, opening))
    end = low.find(b"</table", opening)
    first = low.find(b"<tr", opening, end if end >= 0 else len(text))
    for line in _ROW.finditer(text, first, end if end >= 0 else len(text)) if first >= 0 else ():
        cells = list(_TABLE_CELL.finditer(text, line.start(), line.end()))
        yield cells[column].span(2) if column < len(cells) else (line.start(), line.start())


def _attributes(text: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name and place of value of each attribute in the tag at [start, end)."""
    for match in _ATTRIBUTE.finditer(text, start, end):
        yield match[1], *match.span(match.lastindex or 0)


def _end_tag(text: bytes, name: bytes, at: int, limit: int) -> int:
    """Where the end tag of an element begins whose content begins at `at`, -1 if it has none before the
    limit."""
    tags = re.compile(rb"<(/?)(?:[\w.-]+:)?" + re.escape(name) + rb"(?:\s[^<>]*?)?(/?)>", re.IGNORECASE)
    depth = 0
    for count, tag in enumerate(tags.finditer(text, at, limit)):
        if tag[1]:
            if not depth:
                return tag.start()
            depth -= 1
        elif not tag[2]:
            depth += 1
        if count > MAX_NESTED:
            break
    return text.find(b"</" + name, at, limit) if depth else -1


def _texts(text: bytes, start: int, end: int, name: str) -> Iterator[Field]:
    """All text between [start, end): of the element itself and of those in it."""
    kind = marker_type(name)
    for piece in _PIECE.finditer(text, start, end):
        group = 1 if piece[1] is not None else 2
        value = piece[group] or b""
        plain = value.strip()
        if plain and not is_hollow(plain):
            low = piece.start(group) + len(value) - len(value.lstrip())
            yield Field(name, kind, low, low + len(plain))
