"""XML that reads in one way only: UTF-8, no document type, no entity of its own, no comment, bounded. No I/O.

What is refused here never reaches a parser. In well-formed XML `<!` begins a declaration, a comment or a
CDATA section and nothing else: without it there is no entity to expand, no file or address to fetch, and no
text that two readers cut at different places.
"""

from __future__ import annotations

import re

from lxml import etree

from tachograph.identity.saml.vocabulary import XSI

__all__ = ["MAX_ATTRIBUTES", "MAX_DEPTH", "MAX_ELEMENTS", "Unreadable", "children", "one", "read", "text"]

MAX_DEPTH = 32
MAX_ELEMENTS = 8192
MAX_ATTRIBUTES = 64
"""Of one element: canonical XML sorts them, which takes a second for 8,000."""
_DECLARATION = re.compile(
    r"""<\?xml\s+version=["']1\.0["'](?:\s+encoding=["'](?i:utf-8)["'])?(?:\s+standalone=["'](?:yes|no)["'])?\s*\?>"""
)
_ELSEWHERE = frozenset({f"{{{XSI}}}schemaLocation", f"{{{XSI}}}noNamespaceSchemaLocation"})


class Unreadable(ValueError):
    """Not XML, or XML that two readers may read differently; the text says why and repeats nothing of it."""


def read(data: bytes, *, comments: bool = False) -> etree._Element:
    """The root of a document; raises `Unreadable`. `comments` are left out where they are allowed."""
    try:
        told = data.decode("utf-8").removeprefix("\ufeff").lstrip()
    except UnicodeDecodeError:
        raise Unreadable("expected UTF-8") from None
    declared = _DECLARATION.match(told)
    body = told[declared.end() :] if declared else told
    if re.search(r"<!(?!--)" if comments else "<!", body) is not None:
        raise Unreadable("it has a document type, a CDATA section or a comment")
    if "<?" in body:
        raise Unreadable("it has a processing instruction, or an encoding other than UTF-8")
    try:
        root = etree.fromstring(body.encode(), _parser())
    except (etree.LxmlError, ValueError):
        raise Unreadable("it is not well-formed XML") from None
    _bounded(root)
    return root


def children(element: etree._Element, tag: str) -> list[etree._Element]:
    """The element's own children of this name, in order."""
    return [child for child in element if child.tag == tag]


def one(element: etree._Element, tag: str) -> etree._Element | None:
    """The only child of this name, or None where there is none; raises `Unreadable` for several."""
    found = children(element, tag)
    if len(found) > 1:
        raise Unreadable(f"it has several {etree.QName(tag).localname}")
    return found[0] if found else None


def text(element: etree._Element) -> str:
    """What stands in an element that holds nothing but text; raises `Unreadable`."""
    if len(element):
        raise Unreadable(f"{etree.QName(element).localname} holds more than text")
    return element.text or ""


def _parser() -> etree.XMLParser:
    """A fresh one for each document. Every door to other documents is shut, should one be left."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )


def _bounded(root: etree._Element) -> None:
    level, count = [root], 0
    for _ in range(MAX_DEPTH):
        for element in level:
            if len(element.attrib) > MAX_ATTRIBUTES:
                raise Unreadable(f"an element has more than {MAX_ATTRIBUTES} attributes")
            if not _ELSEWHERE.isdisjoint(element.attrib):
                raise Unreadable("it points to another document")
        count += len(level)
        if count > MAX_ELEMENTS:
            raise Unreadable(f"it has more than {MAX_ELEMENTS} elements")
        level = [child for element in level for child in element]
        if not level:
            return
    raise Unreadable(f"it is deeper than {MAX_DEPTH} levels")
