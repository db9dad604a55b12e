"""What is allowed in a policy but seldom meant: `tacho policy check` says so, and nothing stops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tachograph.ingress.policy.errors import Problem
from tachograph.ingress.policy.policies import Policy
from tachograph.schemas.connection import Connection

__all__ = ["warnings"]


def warnings(policies: Iterable[Policy], connections: Iterable[Connection]) -> list[Problem]:
    """Each with its file, line and policy."""
    known = tuple(connections)
    names = {connection.name for connection in known}
    labels = {label for connection in known for label in connection.labels}
    return [
        Problem(policy.file, policy.line, policy.id, text)
        for policy in policies
        for text in _of(policy, names, labels)
    ]


def _of(policy: Policy, names: set[str], labels: set[str]) -> Iterator[str]:
    if (
        not policy.permit
        and ("path",) in policy.reads.context
        and ("path_folded",) not in policy.reads.context
    ):
        yield "a forbid reads context.path: a target that folds case or slashes escapes it; read path_folded"
    for type_, id_ in sorted(policy.entities):
        if type_ == "Connection" and id_ not in names:
            yield f'Connection::"{id_}" is not in the configuration'
    for label in sorted(policy.reads.labels - labels):
        yield f"no connection has the label `{label}`"
    if policy.permit and not policy.reason and policy.approval is not None:
        yield "asks for an approval without @reason: reviewers will wonder why"
