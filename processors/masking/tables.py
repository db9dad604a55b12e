"""Values found by their column: SQL literals and rows of a table in JSON.

`INSERT INTO t (id, password) VALUES (1, 'x')`, `SET ssn = 'x'`, `WHERE pin = 12`, and
`{"columns": ["id", "password"], "rows": [[1, "x"]]}` as database tools answer. What a column's
name says is secret is masked in every row.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import re2

from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.validators import is_hollow

MAX_COLUMNS = 1024
ROWS_REACH = 1000
"""How far behind its list of columns a table's rows may begin."""
MAX_CELLS = 200_000
"""Cells looked at behind one list of columns."""

_INSERT = re2.compile(rb"(?i)\binsert\s+into\s+[^()\s]+\s*\(([^()]+)\)\s*values\s*")
_COMPARED = re2.compile(
    rb"(?i)([a-z_][a-z0-9_.]*)[\"`\]]?\s*(?:=|<>|!=|\blike\b)\s*(?:[ENen]?'((?:[^']|'')+)'|([0-9]+)\b)"
)
_CELL = re.compile(rb"[ENen]?'([^']*+(?:''[^']*+)*+)'|([-+]?[0-9][0-9.eE+-]*)|[(),]|[^'(),\s]+")
_COLUMNS = re2.compile(rb'"(?:columns|fields|header|headers|column_names)"\s*:\s*(\[[^\[\]{}]*\])')
_ROWS = re2.compile(rb'"(?:rows|data|values|records)"\s*:\s*\[')
_JSON_CELL = re.compile(
    rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"(\s*:)?|([-+]?[0-9][0-9.eE+-]*)|[\[\]{},]|[a-z]+', re.DOTALL
)
_VERB = re2.compile(rb"(?i)\b(?:where|set|having)\s")
VERB_REACH = 1000
"""How far before a comparison its WHERE or SET may stand."""
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_. -]*")


def find(text: bytes, is_secret: Callable[[str], bool]) -> Iterator[Field]:
    """Every literal or cell of a column that `is_secret` names."""
    if b"'" in text or b"=" in text:
        yield from _compared(text, is_secret)
        for match in _INSERT.finditer(text):
            yield from _inserted(text, match.end(), _secret_columns(match.group(1), is_secret))
    if b'"' in text:
        for match in _COLUMNS.finditer(text):
            rows = _ROWS.search(text, match.end(), match.end() + ROWS_REACH)
            secret = _secret_columns(match.group(1), is_secret)
            if rows is not None and secret:
                yield from _rows(text, rows.end(), secret, match.start())


def _secret_columns(listed: bytes, is_secret: Callable[[str], bool]) -> dict[int, str]:
    """Position to name of the secret columns in a list."""
    names = [_NAME.search(part) for part in listed.split(b",")[:MAX_COLUMNS]]
    plain = [match[0].strip().decode() if match else "" for match in names]
    return {index: name for index, name in enumerate(plain) if name and is_secret(name)}


def _compared(text: bytes, is_secret: Callable[[str], bool]) -> Iterator[Field]:
    match: Any
    for match in _COMPARED.finditer(text):
        name = match.group(1).decode().rpartition(".")[2]
        if is_secret(name) and _VERB.search(text, max(0, match.start() - VERB_REACH), match.start()):
            start, end = match.span(2) if match.group(2) is not None else match.span(3)
            if not is_hollow(text[start:end]):
                yield Field(name, marker_type(name), start, end)


def _inserted(text: bytes, at: int, secret: dict[int, str]) -> Iterator[Field]:
    """The cells of `(..), (..)` that belong to secret columns."""
    depth = column = cells = 0
    while secret and cells < MAX_CELLS:
        cell = _CELL.match(text, at) or _CELL.search(text, at)
        if cell is None:
            return
        at, word = cell.end(), cell[0]
        cells += 1
        if word == b"(":
            depth, column = depth + 1, column if depth else 0
        elif word == b")":
            depth -= 1
        elif word == b"," and depth == 1:
            column += 1
        elif depth == 0 and word != b",":
            return
        elif depth and column in secret:
            yield from _cell(cell, secret[column])


def _rows(text: bytes, at: int, secret: dict[int, str], quote_at: int) -> Iterator[Field]:
    """The cells of `[[..], [..]]` that belong to secret columns; a nested value is taken whole."""
    depth, column = 1, 0
    for count, cell in enumerate(_JSON_CELL.finditer(text, at)):
        word = cell[0]
        if word in (b"[", b"{"):
            depth, column = depth + 1, 0 if depth == 1 else column
        elif word in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                return
        elif word == b"," and depth == 2:
            column += 1
        elif depth >= 2 and column in secret:
            yield from _json_cell(cell, secret[column], quote_at)
        if count > MAX_CELLS:
            return


def _cell(cell: re.Match[bytes], name: str) -> Iterator[Field]:
    if cell[1] and not is_hollow(cell[1]):
        yield Field(name, marker_type(name), cell.start(1), cell.end(1))
    elif cell[2] is not None:
        yield Field(name, marker_type(name), cell.start(2), cell.end(2))


def _json_cell(cell: re.Match[bytes], name: str, quote_at: int) -> Iterator[Field]:
    if cell[1] and not cell[2] and not is_hollow(cell[1]):
        yield Field(name, marker_type(name), cell.start(1), cell.end(1))
    elif cell[3] is not None:
        yield Field(name, marker_type(name), cell.start(3), cell.end(3), quote_at)
