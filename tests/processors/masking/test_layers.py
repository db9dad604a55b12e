"""What is hidden in strings is read in place, layer by layer, and every offset leads back."""

import base64
import zlib
from collections.abc import Callable
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking import layers as module
from tachograph.processors.masking.errors import Withheld
from tachograph.processors.masking.layers import layers, plain
from tachograph.processors.masking.limits import Deadline, Limits
from tachograph.processors.masking.views import ContentView, DecodedView, View

SECRET = "s3cr3t-value-of-the-day"
DEFLATED = zlib.compress(b'{"seen": "it was %s then"}' % SECRET.encode(), wbits=-zlib.MAX_WBITS)
BITS = [
    "\\n",
    '\\"',
    "\\\\",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\x41",
    "\\u{1f600}",
    "\\",
    "\\q",
    "a",
    "é",
    '"',
    "u",
    "\n",
]


def read(data: bytes) -> list[View]:
    return list(layers(ContentView(data), Limits(), Deadline.after(60)))


@pytest.mark.parametrize(
    "hidden",
    [
        SECRET,
        orjson.dumps({"a": orjson.dumps({"b": SECRET + '"'}).decode()}).decode(),
        "".join(f"\\u{ord(c):04x}" for c in SECRET),
        "".join(f"\\x{ord(c):02x}" for c in SECRET),
        "".join(f"%{ord(c):02X}" for c in SECRET),
        "".join(f"&#{ord(c)};" for c in SECRET),
        "".join(f"&#x{ord(c):x};" for c in SECRET),
        base64.b64encode(f"a {SECRET} b".encode()).decode(),
        base64.urlsafe_b64encode(f"a?>{SECRET}<? b".encode()).decode().rstrip("="),
        base64.b64encode(f"a {SECRET} b".encode("utf-16-le")).decode(),
        "glued_" + base64.b64encode(f"ab {SECRET} b".encode("utf-16-be")).decode(),
        f"say {SECRET}!".encode("utf-16-le").hex(),
        "glued_" + base64.b64encode(f"a {SECRET} b".encode()).decode(),
        base64.b64encode(base64.b64encode(f"a {SECRET} b".encode())).decode(),
        base64.b64encode(b"\xff\x00\x01" + SECRET.encode() + b"\xfe").decode(),
        f"say {SECRET}!".encode().hex(),
        base64.b64encode(DEFLATED).decode(),
        base64.urlsafe_b64encode(DEFLATED).decode().rstrip("="),
        DEFLATED.hex(),
        base64.b64encode(f"a \x1b[31m{SECRET}\x1b[0m \x1b]8;;\x07 b".encode()).decode(),
        quote(base64.b64encode(f"a {SECRET} ~~~".encode()).decode(), safe=""),
        "\n".join(base64.encodebytes(f"{'x' * 50} {SECRET} {'y' * 50}".encode()).decode().splitlines()),
    ],
)
def test_a_hidden_value_is_found_and_leads_back(hidden: str) -> None:
    """Some layer shows the value, and its range covers what shows it and stays inside the hidden stretch."""
    data = f"before {hidden} after".encode()
    for view in read(data):
        at = view.text.find(SECRET.encode())
        if at >= 0:
            ranges = view.to_content(at, at + len(SECRET))
            assert ranges[0][0] >= len("before ")
            assert ranges[-1][1] <= len(data) - len(" after")
            break
    else:
        pytest.fail("no layer shows it")


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
@given(
    before=st.text("pq é", max_size=9),
    after=st.text("pq é", max_size=9),
    glue=st.sampled_from(["", "x", "xy", "xyz"]),
)
def test_utf_16_is_read_wherever_it_begins(charset: str, before: str, after: str, glue: str) -> None:
    """Where the bytes begin within a group, and what stands around them, does not matter."""
    raw = f"{before} {SECRET} {after}".encode(charset)
    for run in (glue + base64.b64encode(raw).decode(), raw.hex()):
        data = f"-enc {run} x".encode()
        shown = next(view for view in read(data) if SECRET.encode() in view.text)
        at = shown.text.index(SECRET.encode())
        ranges = shown.to_content(at, at + len(SECRET))
        assert ranges[0][0] >= len("-enc ")
        assert ranges[-1][1] <= len(data) - len(" x")


def test_a_token_that_is_itself_base64_is_seen_before_it_is_decoded() -> None:
    """Escapes are undone first; a JWT between escapes shows whole in the layer between."""
    token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
    views = read(('{\\"t\\":\\"' + token + '\\"}').encode())
    assert any(b'"' + token.encode() + b'"' in view.text for view in views)


def test_too_many_layers_are_withheld() -> None:
    """What does not end is not passed on."""
    text = b"the end of it all"
    for _ in range(14):
        text = base64.b64encode(text)
    with pytest.raises(Withheld, match="depth"):
        read(text)


@given(st.binary(max_size=200))
def test_every_range_of_every_layer_lies_in_the_content(data: bytes) -> None:
    """The way back never leaves the content, in order, for every single byte."""
    try:
        views = read(data)
    except Withheld:
        return
    for view in views:
        last = 0
        for at in range(len(view.text)):
            for low, high in view.to_content(at, at + 1):
                assert 0 <= low <= high <= len(data)
                assert low >= last or view is not views[0]
                last = low


@given(st.text(max_size=60))
def test_plain_undoes_json_escapes(text: str) -> None:
    """A field's raw text reads as its value, so that equal values get equal pseudonyms."""
    if not any(mark in text for mark in "%&\\"):
        assert (
            plain(orjson.dumps(text)[1:-1]) == plain(text.encode()) or "\x00" <= min(text, default="a") < " "
        )


@given(st.lists(st.sampled_from(BITS), min_size=1, max_size=40), st.integers(1, 400), st.integers(1, 64))
def test_runs_of_escapes_read_as_one_by_one(bits: list[str], times: int, size: int) -> None:
    """Wherever a text is cut into runs, it reads the same and every byte leads back to the same place."""
    text = ("".join(bits) * times).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_RUN_BYTES", size)
        runs = list(module._backslash_runs(text))
    assert b"".join(b"".join(parts) for parts, _ in runs) == text
    slow = DecodedView(ContentView(text), module._backslash_edits(text))
    fast = DecodedView(ContentView(text), runs=iter(runs))
    assert fast.text == slow.text
    for at in range(0, len(fast.text) - 1, 1 + len(fast.text) // 50):
        for end in (at + 1, at + 3, len(fast.text)):
            assert fast.to_content(at, end) == slow.to_content(at, end)


def test_a_text_of_nothing_but_backslashes_is_cut_too() -> None:
    """Memory stays bounded where no place is free of them."""
    runs = module._backslash_runs(b"\\" * 200_001)
    assert max(len(parts) for parts, _ in runs) < 40_000


@pytest.mark.parametrize("lead", range(5))
@pytest.mark.parametrize("encode", [base64.b64encode, lambda text: text.hex().encode()])
def test_a_long_run_is_decoded_piece_by_piece(lead: int, encode: Callable[[bytes], bytes]) -> None:
    """What lies over the end of a piece is read whole, whatever stands glued before the run."""
    fill = b"the cat sat on the mat " * 50_000
    text = fill[: 786_420 + lead] + SECRET.encode() + fill + SECRET.encode()
    run = b"x" * lead + encode(text)
    *_, last = layers(ContentView(run), Limits(), Deadline.after(60))
    assert last.text.count(SECRET.encode()) == 2
    at = last.text.index(SECRET.encode())
    ((start, end),) = last.to_content(at, at + len(SECRET))
    assert len(SECRET) < end - start <= 2 * len(SECRET) + 8


@pytest.mark.parametrize("lead", range(9, 16))
@pytest.mark.parametrize("encode", [base64.b64encode, bytes.hex])
def test_what_stays_encoded_does_not_touch_what_is_read(
    lead: int, encode: Callable[[bytes], bytes | str]
) -> None:
    """An image's text chunk in base64: a rule must see that a word begins and ends there."""
    code = encode(b"\0" * lead + SECRET.encode() + b"\0" * 14)
    coded = code if isinstance(code, bytes) else code.encode()
    assert any(b"\0" + SECRET.encode() + b"\0" in view.text for view in read(b'"' + coded + b'"'))


def test_entities_wait_until_the_escapes_around_them_are_undone() -> None:
    """Mark-up in a string is read once before `&lt;` in its text becomes a tag."""
    text = rb'"<k a=\"b\">x&lt;y</k>"'
    texts = [view.text for view in layers(ContentView(text), Limits(), Deadline.after(60))]
    assert texts == [text, b'"<k a="b">x&lt;y</k>"', b'"<k a="b">x<y</k>"']
