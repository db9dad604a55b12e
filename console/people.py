"""Who looks at the console: what a login or a token proved, and how a decision names them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tachograph.identity.proof import Proof
from tachograph.schemas.approval import Reviewer
from tachograph.schemas.approval_book import Approval, same_person

__all__ = ["Person"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's verified identity, and the door through which they came."""

    proof: Proof
    via: Literal["console", "webhook", "local"]

    @property
    def name(self) -> str:
        return self.proof.principal.id

    @property
    def issuer(self) -> str | None:
        return self.proof.principal.issuer

    def reviewer(self, approval: Approval) -> Reviewer:
        """As a decision about this approval says it: of the groups only those that are asked for."""
        asked = {need.group for need in approval.requested.needs}
        groups = tuple(sorted(asked & self.proof.groups))
        return Reviewer(principal=self.proof.principal, groups=groups, via=self.via)

    def sees(self, approval: Approval, auditors: Iterable[str]) -> bool:
        """Members of the groups that are asked, auditors, and whoever asked; nobody else knows of it."""
        if not self.proof.covers(approval.requested.connection):
            return False
        asked = {need.group for need in approval.requested.needs}
        if self.proof.groups & (asked | set(auditors)):
            return True
        return same_person(self.proof.principal, approval.requested.requester)
