"""Tables in text: CSV, TSV and tables drawn with bars, wherever a line names the columns and rows follow it.

RFC 4180 and its relatives: comma, semicolon, tab or bar; quoted cells may hold line breaks. Markdown tables,
psql's and mysql's boxes are bars with a ruled line. A column that a field rule names is masked in every
row; in a
table of names and values (`key,value`), the values of the names that are secret.
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.validators import is_hollow

MAX_COLUMNS = 1024
MAX_HEADER = 16 * 1024
"""A longer line names no columns."""
MAX_WORDS = 4
"""Words in a column's name; a cell with more is prose."""

_PLAIN = rb"[\w \t.,;|\"'()/*`\x{80}-\x{10ffff}-]*"
_RULED = re.compile(rb"[ \t]*(?:[-+|:= ]*[-=][-+|:= ]*)\r?(?:\n|\Z)")
_CELL_NAME = re.compile(rb"[A-Za-z_\x80-\xff][\w .()/*`\x80-\xff-]{0,63}")
_LABEL = re.compile(r"(?i)^(?:name|key|variable|setting|parameter|param|field|property|option|item)$")
_VALUE = re.compile(r"(?i)^(?:val|value|values|content|data)$")
_PROLOGUE = re.compile(rb"(?:\xef\xbb\xbf)?(?:(?:sep=[^\r\n]|#[^\n]*)?\r?\n)*")
_STRING_END = re.compile(rb'"\s*(?:[}\]]|,\s*(?:"[^"\n]{0,64}"\s*:|[{\[]))')
"""Where a table in a JSON string ends with it."""
_DELIMITERS = b"\t|;,"

IsSecret = Callable[[str], bool]
Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Columns:
    """What a header line says: secret columns, and which columns hold names and values (-1: none)."""

    count: int
    secret: dict[int, str]
    label: int = -1
    value: int = -1


class Delimited:
    """Finds the cells of columns that a field rule names."""

    def __init__(self, hints: bytes, is_secret: IsSecret) -> None:
        self._is_secret = is_secret
        named = rb"(?i:" + hints + rb"|\bvalue\b)"
        self.gate = (
            rb"(?m)(?:^(?:data:)?|: ?\"|\[\")("
            + _PLAIN + rb"(?:[,;\t|]" + _PLAIN + named + rb"|" + named + _PLAIN + rb"[,;\t|])"
            + _PLAIN + rb")\r?$"
        )  # fmt: skip
        """A line that may name columns, one of them a secret's."""
        self._header = re2.compile(self.gate)
        self._upright = re2.compile(rb"(?m)^[ \t]*\|?[ \t*`]*([\w .-]*" + named + rb"[\w .-]*?)[ \t*`]*\|")

    def find(self, text: bytes, *, table: bool = False) -> Iterator[Field]:
        """Every cell; `table` says that the whole text is one, by its content type."""
        done = 0
        if table:
            start = _PROLOGUE.match(text)
            at = start.end() if start else 0
            done = yield from self._table(text, at, whole=True)
        match: Any
        for match in self._header.finditer(text):
            at = match.start(1)
            if at >= done and match.end() - at <= MAX_HEADER:
                done = max(done, (yield from self._table(text, at, whole=False)))
        if b"|" in text:
            yield from self._uprights(text)

    def _table(self, text: bytes, at: int, *, whole: bool) -> Generator[Field, None, int]:
        """The cells of the table whose header is the line at `at`; returns where it ends."""
        line_end = _line_end(text, at)
        delimiter = _delimiter(text[at:line_end], whole=whole)
        if not delimiter:
            return at
        cells, following = _row(text, at, delimiter)
        columns = self._columns(text, cells, whole=whole)
        if columns is None:
            return at
        ruled = _RULED.match(text, following)
        if not whole and not ruled and not _fits(text, following, delimiter, columns.count):
            return at
        return (yield from self._rows(text, following, delimiter, columns, whole=whole))

    def _columns(self, text: bytes, cells: Sequence[Cell], *, whole: bool) -> _Columns | None:
        names = [text[a:b].strip(b' \t*`"') for a, b in cells[:MAX_COLUMNS]]
        if not whole and sum(map(bool, names)) < 2:
            return None
        if not whole and not all(
            not n or (_CELL_NAME.fullmatch(n) and n.count(b" ") < MAX_WORDS) for n in names
        ):
            return None
        plain = [name.decode("utf-8", "replace") for name in names]
        secret = {at: name for at, name in enumerate(plain) if name and self._is_secret(name)}
        label = next((at for at, name in enumerate(plain) if _LABEL.match(name)), -1)
        value = next((at for at, name in enumerate(plain) if _VALUE.match(name)), -1)
        if not secret and min(label, value) < 0:
            return None
        return _Columns(len(cells), secret, *((label, value) if min(label, value) >= 0 else (-1, -1)))

    def _rows(
        self, text: bytes, at: int, delimiter: bytes, columns: _Columns, *, whole: bool
    ) -> Generator[Field, None, int]:
        while at < len(text):
            ruled = _RULED.match(text, at)
            if ruled and b"\n" not in text[at : ruled.end() - 1]:
                at = ruled.end()
                continue
            cells, following = _row(text, at, delimiter)
            if len(cells) < 2 <= columns.count and not whole:
                return at
            yield from self._secrets(text, cells, columns)
            if not whole and _STRING_END.search(text, *cells[-1]):
                return following
            at = following
        return at

    def _secrets(self, text: bytes, cells: Sequence[Cell], columns: _Columns) -> Iterator[Field]:
        named = dict(columns.secret)
        if columns.label >= 0 and len(cells) > max(columns.label, columns.value):
            start, end = cells[columns.label]
            name = text[start:end].strip(b" \t*`").decode("utf-8", "replace")
            if self._is_secret(name):
                named[columns.value] = name
        last = columns.count - 1
        for column, name in named.items():
            if column < len(cells):
                # A cell too many: a delimiter that was not quoted. The rest is the last's.
                start, end = cells[column][0], cells[-1 if column == last else column][1]
                yield from _field(text, start, max(start, end), name)

    def _uprights(self, text: bytes) -> Iterator[Field]:
        """Tables that stand upright, a name and a value a line: psql's expanded output, key and value in
        Markdown."""
        match: Any
        for match in self._upright.finditer(text):
            name = match.group(1).strip().decode("utf-8", "replace")
            if not self._is_secret(name):
                continue
            end = _line_end(text, match.end())
            if _RULED.match(text, min(end + 1, len(text))) and end + 1 < len(text):
                continue  # the names of the columns
            cells, _ = _row(text, match.end(), b"|")
            yield from _field(text, *cells[0], name)


def _field(text: bytes, start: int, end: int, name: str) -> Iterator[Field]:
    tail = _STRING_END.search(text, start, end)
    end = tail.start() if tail else end
    while start < end and text[start] in b" \t`*":
        start += 1
    while end > start and text[end - 1] in b" \t`*\r\n":
        end -= 1
    if not is_hollow(text[start:end]):
        yield Field(name, marker_type(name), start, end)


def _line_end(text: bytes, at: int) -> int:
    end = text.find(b"\n", at)
    return len(text) if end < 0 else end


def _delimiter(line: bytes, *, whole: bool) -> bytes:
    """The delimiter that a header line uses most; a table of one column has none but its commas."""
    best = max(_DELIMITERS, key=line.count)
    if line.count(best):
        return bytes([best])
    return b"," if whole else b""


def _fits(text: bytes, at: int, delimiter: bytes, count: int) -> bool:
    """Whether the line at `at` is a row: as many cells as there are columns."""
    if at >= len(text) or text[at : at + 1] in (b"\n", b"\r"):
        return False
    cells, _ = _row(text, at, delimiter)
    return len(cells) == count


_CELLS = {
    bytes([mark]): re.compile(
        rb'[ ]*(?:"([^"]*+(?:""[^"]*+)*+)"[^' + re.escape(bytes([mark])) + rb'\r\n]*|([^'
        + re.escape(bytes([mark])) + rb"\r\n]*))(" + re.escape(bytes([mark])) + rb"|\r?\n|\r|\Z)"
    )
    for mark in _DELIMITERS
}  # fmt: skip


def _row(text: bytes, at: int, delimiter: bytes) -> tuple[list[Cell], int]:
    """The places of one row's cells, quotes aside, and where the next row begins."""
    cells: list[Cell] = []
    pattern = _CELLS[delimiter]
    at += 5 * text.startswith(b"data:", at)  # an event stream's line
    while True:
        cell = pattern.match(text, at)
        if cell is None:  # not reached: an unquoted cell may be anything
            return cells, _line_end(text, at) + 1
        cells.append(cell.span(1) if cell[1] is not None else cell.span(2))
        at = cell.end()
        if cell[3] != delimiter:
            return cells, at
