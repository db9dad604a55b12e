"""Forms and JSON bodies, read within bounds and strictly: one media type, each field once, nothing else.

What is longer than a person types is refused before it is held.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from tachograph.console.errors import BadRequest, TooMuch

__all__ = ["MAX_BODY_BYTES", "MAX_FIELDS", "read_form", "read_json", "read_posted"]

MAX_BODY_BYTES = 64 << 10
MAX_POSTED_BYTES = 512 << 10
"""What a login may send by another site's form: a signed assertion is long."""
MAX_FIELDS = 16


async def read_form(request: Request, fields: Collection[str]) -> Mapping[str, str]:
    """The fields of a form, of which only these may be there; raises `BadRequest` or `TooMuch`."""
    found = await read_posted(request, limit=MAX_BODY_BYTES)
    if unknown := found.keys() - set(fields):
        raise BadRequest(f"The form has {len(unknown)} fields that it should not have.")
    return found


async def read_posted(request: Request, *, limit: int = MAX_POSTED_BYTES) -> Mapping[str, str]:
    """The fields of any form."""
    _expect(request, "application/x-www-form-urlencoded")
    data = await _body(request, limit)
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(data),
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise BadRequest("The form cannot be read.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("The form says one field twice.")
    return found


async def read_json(request: Request, fields: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """An object with at most these fields, each of its type; raises `BadRequest` or `TooMuch`."""
    _expect(request, "application/json")
    try:
        value = orjson.loads(await _body(request, MAX_BODY_BYTES))
    except orjson.JSONDecodeError:
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(value, dict) or value.keys() - fields.keys():
        raise BadRequest(f"Expected an object with at most {', '.join(sorted(fields)) or 'nothing'}.")
    for name, item in value.items():
        kinds = fields[name]
        if not isinstance(item, kinds) or isinstance(item, bool):
            raise BadRequest(f"{name} has another type than it should have.")
    return value


def _expect(request: Request, media_type: str) -> None:
    told = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if told != media_type:
        raise BadRequest(f"Expected {media_type}.")


async def _body(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > limit:
            raise TooMuch(f"Expected at most {limit} bytes.")
    return bytes(data)
