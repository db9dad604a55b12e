"""What stands unseen inside a word is taken out and leads back; elsewhere it stays."""

import quopri
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tachograph.processors.masking.unseen import unseen
from tachograph.processors.masking.views import ContentView, DecodedView

WORD = string.ascii_letters + string.digits
BITS = [
    *("\u200b", "\u0301", "\x1b[31m", "=\r\n", "=3D", "=\n", "\\\n  ", '" + "', "' +\n'", "⚠\ufe0f"),
    *("a", "é", "=", "\n", '"', "abcde", "quoted-printable", "NAME", " "),
]


def read(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return DecodedView(ContentView(data), unseen(data)).text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("use gh\u200bp_ab c", "use ghp_ab c"),
        ("g\u0301h\u0301p\u0301_x", "ghp_x"),
        ("pass\u00adword\u2060=\ufeff\u202ex1", "password=x1"),
        ("a\U000e0041b", "ab"),
        ("\x1b[01;31m\x1b[Kghp_ab\x1b[0mcd\x1b[m", "ghp_abcd"),
        ("\x1b]8;;https://h.example\x07link\x1b]8;;\x1b\\", "link"),
        ("ghp_aB1=\r\ncD2 x", "ghp_aB1cD2 x"),
        ("the key is ghp_aB1=\ncd=\ne2", "the key is ghp_aB1cde2"),
        ("Encoding: Quoted-Printable\n\na=\nB: c=3Dd", "Encoding: Quoted-Printable\n\naB: c=d"),
        ("=67=68=70=5F=61", "ghp_a"),
        ("curl -u bob:abcd\\\n  efgh x", "curl -u bob:abcdefgh x"),
        ("eyJ.eyJ.22\\\n    SN8s", "eyJ.eyJ.22SN8s"),
        ("k = 'ghp_ab' + 'cdef'", "k = 'ghp_abcdef'"),
        ("it is ghp_ab<b></b>cdef<wbr>ghij", "it is ghp_abcdefghij"),
        ("ghp_ab<!-- x -->cdef", "ghp_abcdef"),
        ('k = "ghp_ab" +\n    "cdef"', 'k = "ghp_abcdef"'),
    ],
)
def test_what_nobody_sees_is_taken_out(text: str, plain: str) -> None:
    """Marks, colours, soft breaks, codes, continued lines and added strings."""
    assert read(text) == plain.encode()


@pytest.mark.parametrize(
    "text",
    [
        "naïve “quotes” ⚠\ufe0f and 1\ufe0f\u20e3 x",
        "नमस्ते, العَرَبِيَّة \u200fx",
        "PASSWORD=\nHOST=\n",
        "HOST=\nDB_PASSWORD=x1\n",
        "Cookie: sid=\r\nHost: h\r\n",
        "PrivateKey = {}ix=\nDNS = 8.8.8.8\n".format("aB3" * 14),
        "page=20&size=3D",
        "x = '1' + '0' * 9",
        "<p></p><b>text</b><br>",
        "docker run \\\n  --rm x",
        "a =\n  b",
        "QUJD==\nQUJD",
        "plain text",
        "",
    ],
)
def test_what_belongs_to_a_text_stays(text: str) -> None:
    """Scripts, pictures, names without a value, pairs, padding and source."""
    assert list(unseen(text.encode())) == []


@given(st.lists(st.sampled_from(BITS), max_size=30).map("".join))
@example('"abcde" + "abcde" + "abcde"')
@example("abcde=\nabcde=\r\nabcde")
def test_edits_are_in_order_and_inside(text: str) -> None:
    """Each begins where the one before ended or later, in the text, and shortens it."""
    data, done = text.encode(), 0
    for edit in unseen(data):
        assert done <= edit.start < edit.end <= len(data)
        assert len(edit.text) < edit.end - edit.start
        done = edit.end


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    """What is no UTF-8 too."""
    assert len(read(data)) <= len(data)


@given(st.text(WORD, min_size=8, max_size=60), st.data())
def test_a_marked_word_is_read_whole(word: str, data: st.DataObject) -> None:
    """Wherever in it the marks stand, and its place leads back over all of them."""
    at = data.draw(st.integers(1, len(word) - 1))
    marked = (
        word[:at] + data.draw(st.sampled_from(["\u200b", "\u0301\u0302", "\u00ad\u200d\ufe0f"])) + word[at:]
    )
    view = DecodedView(ContentView(source := f"<{marked}>".encode()), unseen(source))
    assert view.text == f"<{word}>".encode()
    assert view.to_content(1, 1 + len(word)) == [(1, len(source) - 1)]


@given(st.text(WORD + " =+/.:-_é", min_size=1, max_size=300))
def test_quoted_printable_is_read_as_it_was_meant(text: str) -> None:
    """Where a header tells of it."""
    coded = quopri.encodestring(text.encode()).decode()
    assert read(f"quoted-printable\n\n{coded}") == f"quoted-printable\n\n{text}".encode()
