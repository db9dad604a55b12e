"""Values found by their place in a JSON document: `params.arguments.code`, `rows.*.3`.

For what has no telling name of its own. One pass over the document's tokens follows all paths at once; `*`
stands for any key or index. A path begins at the root of a document: of the body, or of each line or event of
a stream. The arguments of a tool call are often a document of their own, in a string or in the pieces of a
stream: what a path says behind its last `arguments` or `input` holds there from the root.
"""

import re
from collections.abc import Generator, Iterator, Sequence

from tachograph.processors.masking.fields import Field, marker_type
from tachograph.processors.masking.named import decoded

MAX_DEPTH = 1000
_TOKEN = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"(\s*:)?|([-+]?[0-9][0-9.eE+-]*)|[\[\]{},]', re.DOTALL)

Path = tuple[str, ...]


_LINE = re.compile(rb"^(?:data:[ ]?)?(?=[{\[])([^\r\n]*)", re.MULTILINE)
_ARGUMENTS = re.compile(rb'"(?:arguments|input|partial_json)"\s*:\s*"(?=\{)')
"""A string that holds a call's arguments, seen from the layer where their own quotes are plain."""
_CALLS = ("arguments", "input")


def find_lines(text: bytes, paths: Sequence[Path]) -> Iterator[Field]:
    """The same in each line that is a document of its own, also behind `data:`."""
    for line in _LINE.finditer(text):
        yield from find(text, paths, line.start(1), line.end(1))


def find_arguments(text: bytes, paths: Sequence[Path], *, whole: bool) -> Iterator[Field]:
    """The same in the arguments of tool calls in this layer; `whole` says that it may be such a document."""
    inner = tuple(dict.fromkeys(filter(None, map(_behind_call, paths))))
    if whole and text.lstrip()[:1] in (b"{", b"["):
        yield from find(text, (*paths, *inner))
    match = _ARGUMENTS.search(text) if inner else None
    while match is not None:  # no document is read twice, whether or not it ends
        end = yield from _walk(text, inner, match.end(), len(text))
        match = _ARGUMENTS.search(text, end)


def _behind_call(path: Path) -> Path:
    """What the path says of a call's arguments, () if nothing."""
    last = max((at for at, step in enumerate(path) if step in _CALLS), default=-1)
    return path[last + 1 :] if last >= 0 else ()


def find(text: bytes, paths: Sequence[Path], start: int = 0, end: int | None = None) -> Iterator[Field]:
    """Every string and number at a path or below it in the document that begins at `start`."""
    yield from _walk(text, paths, start, len(text) if end is None else end)


def _walk(text: bytes, paths: Sequence[Path], start: int, end: int) -> Generator[Field, None, int]:
    """The same, and where the document ends."""
    stack: list[str | int] = []  # the key or index of each open object or list, innermost last
    for token in _TOKEN.finditer(text, start, end):
        if token[1] is None and token[3] is None:
            _step(stack, token[0])
            if len(stack) > MAX_DEPTH or not stack:
                return token.end()
        elif token[2] is not None:
            stack[-1:] = [decoded(token[1])]
        else:
            path = next((path for path in paths if _leads(path, stack)), None)
            if path is not None:
                yield _field(token, path)
    return end


def _step(stack: list[str | int], mark: bytes) -> None:
    """Follow a bracket or a comma."""
    if mark in (b"{", b"["):
        stack.append("" if mark == b"{" else 0)
    elif mark == b",":
        if stack and isinstance(stack[-1], int):
            stack[-1] += 1
    elif stack:
        stack.pop()


def _leads(path: Path, stack: Sequence[str | int]) -> bool:
    return len(path) <= len(stack) and all(
        step in ("*", str(at)) for step, at in zip(path, stack, strict=False)
    )


def _field(token: re.Match[bytes], path: Path) -> Field:
    group = 1 if token[1] is not None else 3
    return Field(".".join(path), marker_type(path[-1]), token.start(group), token.end(group))
