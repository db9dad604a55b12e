"""From signed words to an identity; the table of wrong ones is in test_service_provider.py."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tachograph.identity.errors import IdentityError
from tachograph.identity.proof import FOR_EVER
from tachograph.identity.saml.assertion import Expected, prove
from tachograph.identity.saml.response import Evidence
from tachograph.identity.saml.vocabulary import saml


async def expected(make: Any, idp: Any, folder: Path, **rules: Any) -> tuple[Expected, etree._Element]:
    world = await make.world(idp, folder, **rules).begin()
    root = world.response(signs="none")
    return Expected(world.attempt, world.ours, world.rules, make.now), root


def evidence(root: etree._Element) -> Evidence:
    assertion = root.find(saml("Assertion"))
    assert assertion is not None
    return Evidence(root, assertion)


async def test_the_session_at_the_provider_ends_the_login(make: Any, idp: Any, tmp_path: Path) -> None:
    """Of several statements the first to end; without an end the console's own rules alone hold."""
    told, root = await expected(make, idp, tmp_path)
    statement = next(root.iter(saml("AuthnStatement")))
    second = copy.deepcopy(statement)
    second.set("SessionNotOnOrAfter", make.at(60))
    statement.addnext(second)
    assert prove(evidence(root), told).expires == make.now + 60 + 30
    for each in (statement, second):
        del each.attrib["SessionNotOnOrAfter"]
    assert prove(evidence(root), told).expires == FOR_EVER


async def test_no_attribute_is_a_group_unless_it_is_named(make: Any, idp: Any, tmp_path: Path) -> None:
    """Without `groups_attribute` nobody is in any; where it is missing, neither."""
    for name in (None, "memberOf"):
        told, root = await expected(make, idp, tmp_path, groups_attribute=name)
        assert prove(evidence(root), told).groups == frozenset()


async def test_whatever_is_left_out_or_emptied_lets_nobody_else_in(
    make: Any, idp: Any, tmp_path: Path
) -> None:
    """Each element taken away, and each attribute: it is refused, or proves the same person."""
    told, root = await expected(make, idp, tmp_path)
    whole = [(number, name) for number, each in enumerate(root.iter()) for name in (None, *each.attrib)]
    for number, name in whole[1:]:
        broken = copy.deepcopy(root)
        element = list(broken.iter())[number]
        if name is not None:
            del element.attrib[name]
        elif (parent := element.getparent()) is not None:
            parent.remove(element)
        if broken.find(saml("Assertion")) is None:
            continue
        try:
            proof = prove(evidence(broken), told)
        except IdentityError:
            continue
        assert proof.principal.id == "ada@corp.test"
        assert proof.groups <= {"reviewers", "ops"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=50)
@given(name=st.text(max_size=300), value=st.text(st.characters(codec="utf-8"), max_size=40))
async def test_a_name_is_taken_as_it_stands_or_not_at_all(
    make: Any, idp: Any, tmp_path: Path, name: str, value: str
) -> None:
    """Whatever an attribute holds: the group is that very text."""
    told, root = await expected(make, idp, tmp_path)
    element = next(root.iter(saml("AttributeValue")))
    try:
        element.text = value + name[:1]
    except ValueError:  # no XML could hold it
        return
    try:
        groups = prove(evidence(root), told).groups
    except IdentityError:
        return
    assert groups == {"ops", element.text}


def test_what_is_expected_is_no_secret_in_a_log(make: Any, idp: Any) -> None:
    """Evidence shows nothing of what it holds."""
    assert repr(evidence(idp.response("_1", signs="none"))) == "Evidence()"
    with pytest.raises(AttributeError):
        evidence(idp.response("_1", signs="none")).assertion = None  # type: ignore[misc]
