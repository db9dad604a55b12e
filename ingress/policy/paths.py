"""The path that policies judge: what the target will make of the request target, or no judgement at all.

Bytes are forwarded as they came, and servers differ in how they read them. So whatever a server may take for
another path (dot segments, coded slashes, a second decoding) is refused, and what many servers merely fold
(case, doubled slashes, trailing dots, `;` parameters) stands in a second form: permits read `context.path`,
forbids read `context.path_folded`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from tachograph.ingress.policy.errors import Unclear

__all__ = ["PathView", "view"]

MAX_CACHED_TARGET = 512
"""Characters; longer targets are taken apart each time, so that the cache stays small."""
_CACHED = 4096

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_CODED = re.compile(r"%(?i:2f|5c|00)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SPLITS = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class PathView:
    """A request target as policies see it."""

    path: str
    """Decoded once."""
    folded: str
    """In lower case, without doubled or trailing slashes, `;` parameters, and dots or spaces at ends."""
    query: tuple[str, ...]
    """Names of the query's parameters, decoded, sorted, each once."""


def view(target: str) -> PathView:
    """The view of a whole request target, bytes read as ISO 8859-1. Raises `Unclear`."""
    return _cached(target) if len(target) <= MAX_CACHED_TARGET else _view(target)


def _view(target: str) -> PathView:
    if "#" in target:
        raise Unclear("expected a request target without `#`")
    raw, _, query = target.partition("?")
    path = _decoded_path(raw)
    return PathView(path, _folded(path), _names(query))


_cached = lru_cache(maxsize=_CACHED)(_view)


def _decoded_path(raw: str) -> str:
    if not raw.startswith("/"):
        raise Unclear("expected a path that begins with a slash")
    if "\\" in raw or _CODED.search(raw):
        raise Unclear("expected a path without backslashes, coded slashes or NUL")
    path = _decoded(raw)
    if _ESCAPE.search(path):
        raise Unclear("expected a path that is coded once, got one that decodes twice")
    plain = unicodedata.normalize("NFKC", path)
    if len(_SPLITS.findall(plain)) != path.count("/"):
        raise Unclear("expected a path without characters that some servers take for a slash")
    if any(_climbs(segment) for segment in plain.split("/")):
        raise Unclear("expected a path without `.` or `..` segments, however they are written")
    return path


def _decoded(raw: str) -> str:
    if _BAD_ESCAPE.search(raw):
        raise Unclear("expected two hex digits after each `%`")
    try:
        text = unquote_to_bytes(raw.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise Unclear("expected UTF-8 in the request target") from None
    if _CONTROL.search(text):
        raise Unclear("expected no control characters in the request target")
    return text


def _climbs(segment: str) -> bool:
    return segment != "" and _bare(segment) == ""


def _bare(segment: str) -> str:
    """Without what Tomcat (`;...`) and Windows (dots and spaces at the end) leave out."""
    return segment.partition(";")[0].rstrip(" .")


def _folded(path: str) -> str:
    plain = unicodedata.normalize("NFKC", path).casefold()
    return "/" + "/".join(bare for segment in plain.split("/") if (bare := _bare(segment)))


def _names(query: str) -> tuple[str, ...]:
    parts = query.split("&")
    if ";" in query:  # which some servers take for a `&`: then both readings count
        parts += query.replace(";", "&").split("&")
    names = {part.partition("=")[0] for part in parts if part}
    return tuple(sorted({_decoded(name.replace("+", " ")) for name in names}))
