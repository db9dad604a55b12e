"""From an answer to who it is: status, addressee, times, subject, attributes (profiles, 4.1.4). No I/O.

What decides about access is taken whole or not at all, and read from the assertion's signed form only.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from tachograph.identity.errors import LoginRefused, Unproven
from tachograph.identity.proof import FOR_EVER, Proof
from tachograph.identity.saml.instants import instant
from tachograph.identity.saml.request import Attempt, Ourselves
from tachograph.identity.saml.response import Evidence
from tachograph.identity.saml.strict_xml import Unreadable, children, one, text
from tachograph.identity.saml.vocabulary import BEARER, ENTITY, SUCCESS, TRANSIENT, VERSION, saml, samlp
from tachograph.schemas.event import Principal, PrincipalKind
from tachograph.schemas.identity_settings import SamlProvider

__all__ = ["MAX_GROUPS", "MAX_NAME", "Expected", "prove"]

MAX_NAME = 256
MAX_GROUPS = 256
_CONDITIONS = frozenset({saml("AudienceRestriction"), saml("OneTimeUse"), saml("ProxyRestriction")})


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer must fit: the attempt, ourselves, the operator's rules, and the time."""

    attempt: Attempt
    ours: Ourselves
    rules: SamlProvider
    now: float

    def not_before(self, moment: float, what: str) -> None:
        if self.now < moment - self.rules.skew:
            raise Unproven(f"{what} is not valid yet")

    def not_on_or_after(self, moment: float, what: str) -> None:
        if self.now >= moment + self.rules.skew:
            raise Unproven(f"{what} is expired")


def prove(found: Evidence, expected: Expected) -> Proof:
    """Who logged in; raises `LoginRefused` where the provider says no, `Unproven` for what proves nothing."""
    try:
        _answer(found.response, expected)
        return _proof(found.assertion, expected)
    except Unreadable as error:
        raise Unproven(f"the response is refused: {error}") from None


def _answer(response: etree._Element, expected: Expected) -> None:
    _issued(response, expected, "the response")
    if response.get("Destination") != expected.ours.acs_url:  # bindings, 3.5.5.2
        raise Unproven("the response was made for another address")
    _asked_for(response, expected)
    if (issuer := one(response, saml("Issuer"))) is not None:
        _issuer(issuer, expected)
    status = one(response, samlp("Status"))
    code = None if status is None else one(status, samlp("StatusCode"))
    if code is None or code.get("Value") != SUCCESS:
        raise LoginRefused("the provider or the person declined the login")


def _proof(assertion: etree._Element, expected: Expected) -> Proof:
    _issued(assertion, expected, "the assertion")
    issuer = one(assertion, saml("Issuer"))
    if issuer is None:
        raise Unproven("the assertion has no issuer")
    _issuer(issuer, expected)
    _conditions(one(assertion, saml("Conditions")), expected)
    subject = one(assertion, saml("Subject"))
    if subject is None:
        raise Unproven("the assertion has no subject")
    _confirmed(children(subject, saml("SubjectConfirmation")), expected)
    ends = _authenticated(children(assertion, saml("AuthnStatement")), expected)
    attributes = _attributes(assertion)
    name = _principal(subject, attributes, expected)
    who = Principal(id=name, kind=PrincipalKind.SAML, issuer=expected.rules.idp_entity_id)
    return Proof(who, groups=_groups(attributes, expected.rules), expires=ends)


def _issued(element: etree._Element, expected: Expected, what: str) -> None:
    if element.get("Version") != VERSION:
        raise Unproven(f"{what} is not of SAML 2.0")
    issued = instant(element.get("IssueInstant", ""))
    expected.not_before(issued, what)
    if issued < expected.attempt.began - expected.rules.skew:
        raise Unproven(f"{what} is older than the login it shall answer")


def _issuer(issuer: etree._Element, expected: Expected) -> None:
    if issuer.get("Format", ENTITY) != ENTITY or text(issuer).strip() != expected.rules.idp_entity_id:
        raise Unproven("the response is another issuer's")


def _asked_for(element: etree._Element, expected: Expected) -> None:
    told = element.get("InResponseTo", "")
    if not hmac.compare_digest(told.encode("utf-8", "replace"), expected.attempt.request_id.encode()):
        raise Unproven("the response answers another login, or none: begin again")


def _conditions(conditions: etree._Element | None, expected: Expected) -> None:
    if conditions is None:
        raise Unproven("the assertion does not say for whom it is")
    _window(conditions, expected, "the assertion")
    if not _CONDITIONS.issuperset(each.tag for each in conditions):  # core, 2.5.1: else it is indeterminate
        raise Unproven("the assertion has a condition that is not understood")
    restrictions = children(conditions, saml("AudienceRestriction"))
    if not restrictions:
        raise Unproven("the assertion does not say for whom it is")
    for restriction in restrictions:  # core, 2.5.1.4: each must hold
        audiences = [text(each).strip() for each in children(restriction, saml("Audience"))]
        if expected.ours.entity_id not in audiences:
            raise Unproven("the assertion is for another audience")


def _window(element: etree._Element, expected: Expected, what: str) -> None:
    if (moment := element.get("NotBefore")) is not None:
        expected.not_before(instant(moment), what)
    if (moment := element.get("NotOnOrAfter")) is not None:
        expected.not_on_or_after(instant(moment), what)


def _confirmed(confirmations: Sequence[etree._Element], expected: Expected) -> None:
    """Profiles, 4.1.4.2: one for bearers, with address, end and the request it answers."""
    found = [each for each in confirmations if each.get("Method") == BEARER]
    if len(found) != 1:
        raise Unproven("the assertion is not for whoever brings it")
    data = one(found[0], saml("SubjectConfirmationData"))
    if data is None or data.get("NotOnOrAfter") is None or data.get("NotBefore") is not None:
        raise Unproven("the assertion does not say how long it may be brought")
    _window(data, expected, "the assertion")
    if data.get("Recipient") != expected.ours.acs_url:
        raise Unproven("the assertion was made for another address")
    _asked_for(data, expected)


def _authenticated(statements: Sequence[etree._Element], expected: Expected) -> float:
    """Until when the session at the provider lasts, in Unix seconds with the skew."""
    if not statements:
        raise Unproven("the assertion does not say that anybody logged in")
    ends = FOR_EVER
    for statement in statements:
        expected.not_before(instant(statement.get("AuthnInstant", "")), "the login at the provider")
        if (moment := statement.get("SessionNotOnOrAfter")) is not None:
            end = instant(moment)
            expected.not_on_or_after(end, "the session at the provider")
            ends = min(ends, end + expected.rules.skew)
    return ends


def _attributes(assertion: etree._Element) -> dict[str, list[etree._Element]]:
    """Values by attribute name; Keycloak, among others, writes an attribute once for each value."""
    found: dict[str, list[etree._Element]] = {}
    for statement in children(assertion, saml("AttributeStatement")):
        for attribute in children(statement, saml("Attribute")):
            values = children(attribute, saml("AttributeValue"))
            found.setdefault(attribute.get("Name", ""), []).extend(values)
    return found


def _principal(
    subject: etree._Element, attributes: dict[str, list[etree._Element]], expected: Expected
) -> str:
    rules = expected.rules
    if rules.principal_attribute is not None:
        values = attributes.get(rules.principal_attribute, [])
        if len(values) != 1:
            raise Unproven("the attribute that names the principal does not have one value")
        return _name(rules.principal_prefix, values[0])
    name = one(subject, saml("NameID"))
    if name is None:
        raise Unproven("the assertion names nobody")
    if name.get("Format") == TRANSIENT:
        raise Unproven("the name is another one at each login: set principal_attribute, or ask for another")
    # core, 8.3.7: a name counts within its qualifiers; ours are the provider and ourselves, or none
    theirs, our_own = (name.get(each) for each in ("NameQualifier", "SPNameQualifier"))
    if theirs not in {None, "", rules.idp_entity_id} or our_own not in {None, "", expected.ours.entity_id}:
        raise Unproven("the name is qualified by somebody else")
    return _name(rules.principal_prefix, name)


def _groups(attributes: dict[str, list[etree._Element]], rules: SamlProvider) -> frozenset[str]:
    if rules.groups_attribute is None:
        return frozenset()
    values = attributes.get(rules.groups_attribute, [])
    if len(values) > MAX_GROUPS:
        raise Unproven(f"the assertion names more than {MAX_GROUPS} groups")
    return frozenset(_name(rules.groups_prefix, each) for each in values)


def _name(prefix: str, element: etree._Element) -> str:
    told = text(element)
    whole = prefix + told
    if not told or len(whole) > MAX_NAME or not told.isprintable() or told != told.strip():
        raise Unproven(f"a name is not printable text of 1 to {MAX_NAME} characters")
    return whole
