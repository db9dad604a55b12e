"""Tables in JSON: what a column's name says is secret is masked in every row, however the table is written.

`{"columns": ["id", "password"], "rows": [[1, "x"]]}` with its members in any order; columns as objects
(`{"name": "password"}`), alone or inside a schema; rows as lists, or as objects around a list (BigQuery's
`{"f": [{"v": 1}]}`, Neo4j's `{"row": [..]}`); and lists of lists whose first row names the columns. A table's
rows are those that share the nearest object with its columns.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import re2

from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.validators import is_hollow

MAX_COLUMNS = 1024
MAX_PAIRS = 100_000
"""Lists of columns times lists of rows in one text; with more it is withheld."""
MAX_DEPTH = 1000
"""Brackets in one another that are told apart; a deeper document is not read as JSON by anyone."""

_TOKEN = re.compile(
    # Quotes around JSON in a string, once the escapes of its own are undone, are none of a string's.
    rb'(?:"(?=\{\s*"\s*[^\s,}\]:])|"(?=\[\s*[\[{"])|(?<=[}\]])"(?=\s*(?:[,}\]]|\Z)))'
    rb'|"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)(\s*:)?|([-+]?[0-9][0-9.eE+-]*|true\b|false\b|null\b)|[\[\]{},]',
    re.DOTALL,
)
_NESTED = re2.compile(rb'\[\s*\[|\]\s*,?\s*\[|[\[,{]\s*"[^"\\]*"\s*:\s*\[')
_LISTED = re.compile(r"(?i)col|field|head|schema|meta|rowtype|attr|label|names?$|keys$|variables")
_NAMING = re.compile(r"(?i)^(?:column_?)?(?:name|field|label|title|header|key|varcharvalue|stringvalue)$")
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_. -]{0,63}")
_WORD = re.compile(r"[a-z_]{2,32}")

IsSecret = Callable[[str], bool]
_Key = str | None


@dataclass(slots=True)
class _List:
    """A list or an object: where it is, what it holds."""

    key: str
    start: int
    parent: "_List | None"
    is_list: bool
    depth: int
    end: int = -1
    nested: bool = False
    names: list[str] = field(default_factory=list)
    """Of a list, its items' names; "" for an item without."""


class JsonTables:
    """Finds the cells of columns that a field rule names."""

    def __init__(self, hints: bytes, is_secret: IsSecret) -> None:
        self._is_secret = is_secret
        self._named = re2.compile(rb'"([\w .-]*(?i:' + hints + rb')[\w .-]*)"\s*[,\]}]')

    def find(self, text: bytes) -> Iterator[Field]:
        """Every string and number in the cells of secret columns."""
        if not self._worth_it(text):
            return
        headers, tables = self._surveyed(text)
        if len(headers) * len(tables) > MAX_PAIRS:
            raise Withheld("match-limit")
        secrets: dict[int, tuple[dict[int, str], int]] = {}
        for header in headers:
            for table in _nearest(header, tables):
                quote_at = text.find(b'"', header.start)
                secrets.setdefault(id(table), ({}, quote_at))[0].update(self._secret(header.names))
        for table in tables:
            if id(table) in secrets:
                yield from _cells(text, table, *secrets[id(table)], skip=0)
        for table in tables:
            yield from self._self_named(text, table)

    def _worth_it(self, text: bytes) -> bool:
        if not _NESTED.search(text):
            return False
        return any(
            self._is_secret(match.group(1).decode("utf-8", "replace"))
            for match in self._named.finditer(text)
            if len(match.group(1)) <= 64
        )

    def _secret(self, names: list[str]) -> dict[int, str]:
        return {at: name for at, name in enumerate(names[:MAX_COLUMNS]) if name and self._is_secret(name)}

    def _surveyed(self, text: bytes) -> tuple[list[_List], list[_List]]:
        """The lists that name secret columns, and the lists that hold rows."""
        headers: list[_List] = []
        tables: list[_List] = []
        here = root = _List("", 0, None, is_list=True, depth=0)
        key = ""
        for token in _TOKEN.finditer(text):
            mark = token[0]
            if mark in (b"[", b"{"):
                here = _opened(here, key, token.start(), is_list=mark == b"[")
                key = ""
                if here.depth > MAX_DEPTH:
                    break
            elif mark in (b"]", b"}"):
                here.end = token.end()
                if here.is_list and _LISTED.search(here.key) and self._secret(here.names):
                    headers.append(here)
                elif here.is_list and here.nested:
                    tables.append(here)
                here = here.parent or root
            elif token[2] is not None:
                key = token[1].decode("utf-8", "replace")
            elif mark not in (b",", b'"'):
                _named(here, key, token[1])
        tables += _left_open(here, root, len(text))
        root.end = len(text)
        return headers, [*tables, root] if root.nested else tables

    def _self_named(self, text: bytes, table: _List) -> Iterator[Field]:
        """A list of lists whose first row names the columns."""
        names = _first_row(text, table)
        secret = self._secret(names)
        # [["password", "x"], ["user", "y"]] are pairs, not a table: there the second word is a value.
        if len(names) == 2 and set(secret) == {0} and not _WORD.fullmatch(names[1]):
            return
        if secret:
            yield from _cells(text, table, secret, text.find(b'"', table.start), skip=1)


def _left_open(here: _List, root: _List, end: int) -> Iterator[_List]:
    """The lists of rows that a document which was cut off does not close."""
    while here is not root:
        here.end = end
        if here.is_list and here.nested:
            yield here
        here = here.parent or root


def _opened(here: _List, key: str, start: int, *, is_list: bool) -> _List:
    """A list or object that opens in another; a list that holds lists, itself or in its items, holds rows."""
    inner = _List(key, start, here, is_list, here.depth + 1)
    if is_list and here.is_list:
        here.nested = True
    elif is_list and here.parent is not None and here.parent.is_list:
        here.parent.nested = True
    if not is_list and here.is_list and len(here.names) < MAX_COLUMNS:
        here.names.append("")
    return inner


def _named(here: _List, key: str, string: bytes | None) -> None:
    """Note a string that may name a column: an item of a list, or the name in an object in a list."""
    if here.is_list:
        if len(here.names) < MAX_COLUMNS:
            here.names.append(string.decode("utf-8", "replace") if string else "")
    elif string and _NAMING.match(key):
        above = here.parent
        if above is not None and above.is_list and above.names and not above.names[-1]:
            above.names[-1] = string.decode("utf-8", "replace")


def _above(node: _List) -> list[_List]:
    """What a list lies in, from the outermost, as far as no other list stands between."""
    chain, at = [], node.parent
    while at is not None:
        chain.append(at)
        if at.is_list:
            break
        at = at.parent
    return chain


def _nearest(header: _List, tables: list[_List]) -> list[_List]:
    """The lists of rows that share the innermost object with the columns."""
    around = {id(at): at.depth for at in _above(header)}
    best = -1
    found: list[_List] = []
    for table in tables:
        shared = max((around[id(at)] for at in [*_above(table), table] if id(at) in around), default=-1)
        if table is header or shared < best or shared < 0:
            continue
        if shared > best:
            best, found = shared, []
        found.append(table)
    return found


def _first_row(text: bytes, table: _List) -> list[str]:
    """The strings of the first row, [] unless every cell is one that may name a column."""
    names: list[str] = []
    depth = 0 if table.parent is not None else 1
    for token in _TOKEN.finditer(text, table.start, table.end):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth <= 1:
                return names
        elif mark not in (b",", b'"') and token[2] is None:
            if depth < 2 or token[1] is None or not _NAME.fullmatch(token[1]) or len(names) > MAX_COLUMNS:
                return []
            names.append(token[1].decode())
    return []


def _cells(text: bytes, table: _List, secret: dict[int, str], quote_at: int, *, skip: int) -> Iterator[Field]:
    """What lies in the secret columns of a list of rows; a nested value is taken whole."""
    lists: list[bool] = []  # the open brackets in the table, and whether each is a list
    row = column = row_depth = 0
    start = table.start + 1 if table.parent is not None else 0
    for token in _TOKEN.finditer(text, start, table.end):
        mark = token[0]
        if mark in (b"[", b"{"):
            lists.append(mark == b"[")
            if not row_depth and lists[-1] and len(lists) <= 2:
                row_depth, column = len(lists), 0
        elif mark in (b"]", b"}"):
            if not lists:
                return
            if len(lists) == row_depth:
                row_depth = 0
            lists.pop()
            row += not lists
        elif mark == b",":
            column += len(lists) == row_depth
        elif mark == b'"':
            continue
        elif row_depth and row >= skip and column in secret and token[2] is None:
            yield from _cell(token, secret[column], quote_at)


def _cell(token: re.Match[bytes], name: str, quote_at: int) -> Iterator[Field]:
    if token[1] is not None:
        if token[1] and not is_hollow(token[1]):
            yield Field(name, marker_type(name), token.start(1), token.end(1))
    elif token[3] != b"null":
        yield Field(name, marker_type(name), token.start(3), token.end(3), quote_at)
