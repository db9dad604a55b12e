"""Names, as libraries of others write them."""

from signxml.util import namespaces

from tachograph.identity.saml import vocabulary


def test_names_are_those_of_the_standards() -> None:
    """XML Signature's namespace is the verifier's; SAML's share their year."""
    assert namespaces.ds == vocabulary.DS
    assert vocabulary.ds("Signature") == f"{{{namespaces.ds}}}Signature"
    for name in (vocabulary.saml("x"), vocabulary.samlp("x"), vocabulary.md("x")):
        assert name.startswith("{urn:oasis:names:tc:SAML:2.0:")
