"""What a verdict does not say: checks that the policy does not ask for, or that this bundle does not allow.

A verifier who reads `complete` is told beside it what it rests on.
"""

from __future__ import annotations

from collections.abc import Iterator

from tachograph.forensics.bundle.reader import Opened
from tachograph.forensics.verify.policy import TrustPolicy

__all__ = ["unasked"]


def unasked(opened: Opened, policy: TrustPolicy, *, nameless: bool) -> Iterator[str]:
    """Each as a sentence. `nameless` is whether a deletion does not say what its records named."""
    if policy.gateways is None:
        yield "heartbeats: the policy names no gateways; a strand that is missing as a whole does not show"
    if not policy.witnesses.required:
        yield "witnesses: the policy requires none; whoever holds a log's key may have rewritten the log"
    if not policy.timestamps.required:
        yield "time stamps: the policy requires none; when a log was there is what the log says"
    if policy.rulesets is None:
        yield "masking rules: the policy lists none; any were taken"
    if nameless:
        yield (
            "messages: a deletion does not say what the deleted records named, as earlier ones did not;"
            " that the messages and parts beside these are all there is not shown"
        )
    yield from _not_compared(opened, policy)


def _not_compared(opened: Opened, policy: TrustPolicy) -> Iterator[str]:
    """Logs that are longer than what the verifier remembers, without a checkpoint of that size."""
    for log in policy.logs:
        name, seen = log.parsed.name, log.seen
        sizes = {item.said.size for item in opened.checkpoints if item.said.origin == name}
        if seen is not None and sizes and seen.size not in sizes:
            yield f"{name}: no checkpoint of {seen.size} leaves, which were seen; a fork since does not show"
