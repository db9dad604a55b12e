"""XML that two readers may read differently is refused before a parser sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.identity.saml.strict_xml import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    Unreadable,
    one,
    read,
    text,
)

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"<a>",
        b"<a/><b/>",
        b"<!DOCTYPE a><a/>",
        b"<!doctype a><a/>",
        b"<a><!-- x --></a>",
        b"<a><![CDATA[x]]></a>",
        b"<a><?x y?></a>",
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        b'<?xml version="1.0" encoding="ebcdic-cp-be"?><a/>',
        b'<?xml version="1.1"?><a/>',
        b'<?xml version="1.0"?><?xml version="1.0"?><a/>',
        b"<a>&nbsp;</a>",
        b"<a>&#0;</a>",
        b"<a>\0</a>",
        b"<a x='1' x='2'/>",
        b"\xff\xfe<\0a\0/\0>\0",
        b"<a>\xff</a>",
        b"<p:a/>",
        f'<a {XSI} xsi:schemaLocation="u http://x"/>'.encode(),
        f'<a><b {XSI} xsi:noNamespaceSchemaLocation="http://x"/></a>'.encode(),
        b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
        b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>",
        b"<a " + b" ".join(b'b%d=""' % number for number in range(MAX_ATTRIBUTES + 1)) + b"/>",
    ],
)
def test_what_is_ambiguous_is_refused(data: bytes) -> None:
    """Declarations, comments, sections, instructions, other encodings, other documents, no end."""
    with pytest.raises(Unreadable):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"<a>x</a>",
        b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<a>x</a>\n',
        b"<?xml version='1.0'?><a>&#120;</a>",
        b"<a>" + b"<b>" * (MAX_DEPTH - 1) + b"</b>" * (MAX_DEPTH - 1) + b"</a>",
    ],
)
def test_plain_xml_is_read(data: bytes) -> None:
    """With or without a declaration, up to the bounds."""
    assert read(data).tag == "a"


def test_comments_may_be_allowed_and_are_no_text() -> None:
    """In an operator's metadata; a declaration is refused all the same, also behind one."""
    root = read(b"<a><!-- no -->x<!-- no -->y</a>", comments=True)
    assert text(root) == "xy"
    with pytest.raises(Unreadable):
        read(b"<!-- --><!DOCTYPE a><a/>", comments=True)


def test_an_element_is_there_once_or_not_and_holds_text_only() -> None:
    """Several are a choice that is not ours to make."""
    root = read(b"<a><b/><c/><c/></a>")
    assert (one(root, "b") is not None, one(root, "x")) == (True, None)
    with pytest.raises(Unreadable, match="several c"):
        one(root, "c")
    with pytest.raises(Unreadable, match="more than text"):
        text(root)


@given(st.binary(max_size=200) | st.text("<>!?&;/a=\"' x-[]", max_size=60).map(str.encode))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing else comes out of them, and nothing that is read has a document type."""
    try:
        root = read(data)
    except Unreadable:
        return
    assert not root.getroottree().docinfo.doctype
