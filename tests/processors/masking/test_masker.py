"""The masker keeps its word: no secret given back, the shape kept, and no exception for any input."""

import base64
import gzip
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.processors.masking.carried import NOTHING
from tachograph.processors.masking.limits import Limits
from tachograph.processors.masking.masker import FieldRules, Masker, Part, PseudonymKey
from tachograph.processors.masking.ruleset import load

KEY = PseudonymKey("k1", bytes(range(32)))
SECRET = "q7Lp" + "2vXz9RtB4mNc8WdF"
MASKER = Masker(load(), KEY)


def body(data: bytes, kind: str = "application/json", coding: str | None = None) -> Part:
    return Part("body", "body", data, kind, coding)


def masked(*parts: Part, masker: Masker = MASKER) -> list[bytes]:
    out = masker.mask(parts)
    assert all(part.data is not None for part in out), [part.withheld for part in out]
    return [part.data or b"" for part in out]


def sse(pieces: list[str], wrap: Any) -> bytes:
    return b"".join(b"event: x\ndata: " + orjson.dumps(wrap(piece)) + b"\n\n" for piece in pieces)


def anthropic_text(piece: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}


def anthropic_json(piece: str) -> dict[str, Any]:
    return {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": piece},
    }


def chat(piece: str) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {"content": piece}}]}


def chat_tool(piece: str) -> dict[str, Any]:
    call = {"index": 0, "function": {"arguments": piece}}
    return {"id": "c1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}


def responses(piece: str) -> dict[str, Any]:
    return {
        "type": "response.output_text.delta",
        "item_id": "i1",
        "output_index": 0,
        "content_index": 0,
        "delta": piece,
    }


WRAPS = [anthropic_text, anthropic_json, chat, chat_tool, responses]


def read_back(stream: bytes, wrap: Any) -> str:
    """What a client would put together from the masked stream."""
    marker = wrap("")

    def leaf(value: Any, template: Any) -> str:
        if isinstance(template, dict):
            return "".join(
                leaf(value[k], v) for k, v in template.items() if isinstance(v, dict | list) or v == ""
            )
        if isinstance(template, list):
            return "".join(leaf(a, b) for a, b in zip(value, template, strict=True))
        return str(value)

    return "".join(
        leaf(orjson.loads(line[5:]), marker) for line in stream.splitlines() if line.startswith(b"data:")
    )


def test_headers_lose_values_and_keep_schemes_and_names() -> None:
    """Authorization keeps its scheme, cookies their names; harmless headers stay as they are."""
    pairs = [
        ["Authorization", "Bearer " + SECRET],
        ["Cookie", "sid=" + SECRET[::-1] + "; theme=dark-and-stormy"],
        ["anthropic-version", "2023-06-01"],
        ["mcp-protocol-version", "2025-11-25"],
    ]
    (out,) = masked(Part("headers", "headers", orjson.dumps(pairs)))
    result = dict(orjson.loads(out))
    assert result["Authorization"].startswith("Bearer [AUTHORIZATION:k1.")
    assert result["Cookie"].startswith("sid=[COOKIE:k1.")
    assert "; theme=[COOKIE:k1." in result["Cookie"]
    assert result["anthropic-version"] == "2023-06-01"
    assert result["mcp-protocol-version"] == "2025-11-25"


def test_a_number_under_a_secret_name_becomes_a_string_at_every_depth() -> None:
    """The document and the JSON inside its strings stay readable."""
    inner = orjson.dumps({"pin": 4711, "n": 1}).decode()
    (out,) = masked(body(orjson.dumps({"pin": 4711, "args": inner})))
    result = orjson.loads(out)
    assert result["pin"] == "[PIN]"
    assert orjson.loads(result["args"]) == {"pin": "[PIN]", "n": 1}


def test_usage_numbers_survive() -> None:
    """Enrichment reads token counts from masked content, so they are no tokens."""
    usage = {"usage": {"input_tokens": 9, "max_tokens": 5, "prompt_tokens": 1, "token_type": "bearer"}}
    (out,) = masked(body(orjson.dumps(usage)))
    assert orjson.loads(out) == usage


@pytest.mark.parametrize("wrap", WRAPS, ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_a_secret_cut_over_events_is_masked_in_every_piece(wrap: Any, step: int) -> None:
    """Whatever the cut, the reader of the stream gets one marker and none of the secret."""
    text = f"use Authorization: Bearer {SECRET} now"
    pieces = [text[i : i + step] for i in range(0, len(text), step)]
    (out,) = masked(body(sse(pieces, wrap), "text/event-stream"))
    seen = read_back(out, wrap)
    assert SECRET not in seen
    assert seen.startswith("use Authorization: Bearer [AUTHORIZATION:k1.")
    assert seen.endswith("] now")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_named_value_cut_anywhere_inside_partial_json_is_masked(data: st.DataObject) -> None:
    """Quotes, backslashes and cuts inside escapes do not open a hole."""
    value = SECRET + data.draw(st.text(alphabet='ab"\\\n/é😀', max_size=6)) + "tail-of-it"
    text = orjson.dumps({"note": "x", "password": value, "n": 1}).decode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=20)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    (out,) = masked(body(sse(pieces, anthropic_json), "text/event-stream"))
    arguments = orjson.loads(read_back(out, anthropic_json))
    assert arguments["password"].startswith("[PASSWORD:k1.")
    assert arguments == {"note": "x", "password": arguments["password"], "n": 1}
    assert b"tail-of-it" not in out


def test_what_is_secret_in_one_part_is_masked_in_all_parts() -> None:
    """A key from a header is masked in a body, in base64 and in hex, under one pseudonym."""
    doc = {
        "echo": f"you sent {SECRET}.",
        "b64": base64.b64encode(b"\0\xff" + SECRET.encode() + b"\xff").decode(),
        "hex": SECRET.encode().hex(),
    }
    headers = Part("headers", "headers", orjson.dumps([["X-Api-Key", SECRET]]))
    first, second = masked(headers, body(orjson.dumps(doc)))
    pseudonym = orjson.loads(first)[0][1]
    result = orjson.loads(second)
    assert result["echo"] == f"you sent {pseudonym}."
    assert pseudonym in result["b64"]
    assert result["hex"] == pseudonym


def test_the_same_input_gives_the_same_bytes() -> None:
    """A second masker of the same rules and key agrees byte for byte."""
    part = body(orjson.dumps({"password": SECRET, "token": [SECRET, 12]}))
    assert Masker(load(), KEY).mask([part]) == MASKER.mask([part])


def test_a_known_secret_is_masked_whatever_it_looks_like() -> None:
    """The registry's credentials need no rule."""
    masker = Masker(load(), KEY, known_secrets=[b"plainword"])
    (out,) = masked(body(b'{"x": "this is plainword here"}'), masker=masker)
    assert b"plainword" not in out


def test_a_connection_adds_its_own_fields() -> None:
    """Field rules of one connection hold beside the built-in ones."""
    masker = Masker(load(), KEY, connection_rules=FieldRules(json_keys=("customer_note",)))
    (out,) = masked(body(b'{"customer_note": "likes tea", "password": "p4ss"}'), masker=masker)
    assert b"tea" not in out
    assert b"p4ss" not in out
    assert masker.digest != MASKER.digest


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (body(gzip.compress(b"x" * 100)[:-9], coding="gzip"), "invalid-gzip"),
        (body(b"\x28\xb5\x2f\xfd\x00", coding="zstd"), "invalid-zstd"),
        (body(b"not brotli", coding="br"), "invalid-br"),
        (body(b"abc", coding="compress"), "unknown-encoding"),
        (body(gzip.compress(bytes(40_000_000)), coding="gzip"), "decode-ratio"),
        (body(b"\x89PNG\r\n\x1a\n\xff\xfe", "image/png"), "binary"),
        (body(b"\xff" * 64, "application/octet-stream"), "binary"),
        (Part("headers", "headers", b"{}"), "invalid-headers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_withheld_with_its_reason(part: Part, reason: str) -> None:
    """Nothing passes unread."""
    (out,) = MASKER.mask([part])
    assert (out.data, out.withheld) == (None, reason)


def test_time_is_bounded_by_the_clock_that_was_passed_in() -> None:
    """A record that takes too long is withheld, its neighbours in the call too, and no exception leaves."""
    ticks = iter(range(0, 10_000, 7))
    masker = Masker(load(), KEY, limits=Limits(seconds=5), clock=lambda: float(next(ticks)))
    (out,) = masker.mask([body(b'{"a":"b"}')])
    assert out.withheld == "timeout"


@given(st.binary(max_size=300), st.sampled_from(["headers", "url", "body", "text", "json"]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_no_input_makes_it_raise(data: bytes, kind: Any, coded: bool) -> None:
    """Any bytes in, masked UTF-8 or a reason out."""
    part = Part("p", kind, data, "application/json" if coded else None, "gzip" if coded else None)
    (out,) = MASKER.mask([part])
    assert (out.data is None) == (out.withheld is not None)
    (out.data or b"").decode()


def test_a_secret_column_is_masked_in_json_rows_at_any_depth() -> None:
    """Numbers become strings there too, and the JSON in the string stays JSON."""
    table = {"columns": ["id", "pin"], "rows": [[1, 4711], [2, "x9"]]}
    (out,) = masked(body(orjson.dumps({"text": orjson.dumps(table).decode(), **table})))
    result = orjson.loads(out)
    assert result["rows"] == [[1, "[PIN]"], [2, "[PIN]"]]
    assert orjson.loads(result["text"])["rows"] == [[1, "[PIN]"], [2, "[PIN]"]]


def test_layers_that_are_not_kept_are_read_again() -> None:
    """A text too large to keep all its layers: propagation decodes them anew, and the result is the same."""
    inner = orjson.dumps({"password": SECRET, "said": "a %2561bc"}).decode()
    outer = orjson.dumps({"again": inner}).decode()
    body = orjson.dumps({"arguments": outer, "prose": f"it was {SECRET}"})
    part = Part("b", "body", body, "application/json")
    (kept,) = Masker(load(), KEY).mask([part])
    (again,) = Masker(load(), KEY, limits=Limits(kept_bytes=1)).mask([part])
    assert (again.data, again.spans) == (kept.data, kept.spans)
    assert kept.data is not None
    assert SECRET.encode() not in kept.data


PICTURE = b"\x89PNG\r\n\xff\xfe\0" + b"\xff\xc0" * 30


def test_what_a_picture_says_is_masked_beside_it() -> None:
    """The picture is withheld, and a secret that can be read in it shows nowhere else."""
    body = Part("b", "body", PICTURE + b'\n{"password": "plumtree7"}\n' + PICTURE, "image/png")
    told = MASKER.mask_with([Part("t", "text", b"you sent plumtree7 to us"), body], NOTHING)
    text, picture = told.parts
    assert (picture.data, picture.withheld, picture.spans) == (None, "binary", ())
    assert text.data is not None
    assert text.data.startswith(b"you sent [PASSWORD:")
    assert [secret.value for secret in told.found.secrets] == [b"plumtree7"]


def test_a_picture_with_too_much_in_it_is_withheld_for_that() -> None:
    """Then nobody knows what it says, and its answer is not told either."""
    masker = Masker(load(), KEY, limits=Limits(spans=3))
    rows = b"\n".join(b'{"password": "plumtree%d"}' % n for n in range(9))
    (picture,) = masker.mask([Part("b", "body", PICTURE + rows, "image/png")])
    assert (picture.data, picture.withheld) == (None, "span-limit")
