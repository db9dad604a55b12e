"""What the configuration file itself registers, read once at the start."""

from __future__ import annotations

from pathlib import Path

import structlog

from tachograph.ingress.errors import RegistryUnusable
from tachograph.ingress.policy.load import read_files
from tachograph.schemas.config import Configuration
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.registry import Registry, registry_of

__all__ = ["check_policies_stay", "own_digest", "own_registry"]

_log = structlog.get_logger(__name__)


def own_registry(config: Configuration, *, base: Path) -> tuple[Registry, bool]:
    """The registry, and whether it is whole: the ingress may not have the files of masking rules.

    Raises `PoliciesUnusable` for a policy file that cannot be read.
    """
    names = config.policy.files
    texts = {name: one.text for name, one in zip(names, read_files([base / n for n in names]), strict=True)}
    whole = True
    for name in config.masking.rules:
        try:
            texts[name] = (base / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            texts[name], whole = "", False
    return registry_of(config, texts), whole


def check_policies_stay(before: Registry, after: Registry) -> None:
    """Raises `RegistryUnusable` where the last policies would go: that permits everything, unsaid."""
    if before.policies and not after.policies:
        raise RegistryUnusable(
            "expected `policy.files` to name some still, since policies are in force: without any, nothing is"
            " denied by default and the connections' `allow` decides alone. If you mean that, say so in one:"
            ' @id("all") permit(principal, action, resource);'
        )


def own_digest(registry: Registry, *, whole: bool) -> str | None:
    """What records name; None, and a word in the log, where it would not be true."""
    try:
        digest = registry.digest
    except MalformedRecord as error:
        _log.warning("registry_unnamed", reason=str(error))
        return None
    if not whole:
        _log.warning("registry_unnamed", reason="a file of masking.rules cannot be read here")
        return None
    return digest
