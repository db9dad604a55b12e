"""SAML's and XML Signature's names, as XML and HTTP carry them."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ASSERTION",
    "BEARER",
    "DS",
    "ENTITY",
    "MD",
    "POST",
    "PROTOCOL",
    "REDIRECT",
    "SUCCESS",
    "TRANSIENT",
    "VERSION",
    "XML",
    "XSI",
    "ds",
    "md",
    "saml",
    "samlp",
]

PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
MD: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XML: Final = "http://www.w3.org/XML/1998/namespace"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
ENTITY: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
VERSION: Final = "2.0"


def samlp(name: str) -> str:
    """An element of the protocol."""
    return f"{{{PROTOCOL}}}{name}"


def saml(name: str) -> str:
    """An element of assertions."""
    return f"{{{ASSERTION}}}{name}"


def md(name: str) -> str:
    """An element of metadata."""
    return f"{{{MD}}}{name}"


def ds(name: str) -> str:
    """An element of XML Signature."""
    return f"{{{DS}}}{name}"
