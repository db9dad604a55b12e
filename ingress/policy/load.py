"""Reads the policy files that the configuration names. The only file of this room that does I/O."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

from tachograph.ingress.errors import PoliciesUnusable
from tachograph.ingress.policy.errors import PoliciesRefused
from tachograph.ingress.policy.judge import CedarJudge
from tachograph.ingress.policy.policies import MAX_FILE_CHARS, PolicyFile, read_policies
from tachograph.schemas.config import Configuration

__all__ = ["confusable_issuers", "load_judge", "read_files"]


def load_judge(config: Configuration, *, base: Path) -> CedarJudge | None:
    """The judge of a configuration; None where it names no policy files. Raises `PoliciesUnusable`."""
    if not config.policy.files:
        return None
    files = read_files([base / name for name in config.policy.files])
    try:
        policies = read_policies(files, issuers=confusable_issuers(config))
    except PoliciesRefused as error:
        raise PoliciesUnusable("\n".join(map(str, error.problems))) from None
    return CedarJudge(policies, config.connections)


def confusable_issuers(config: Configuration) -> int:
    """How many may vouch for the same user's name: 1 where prefixes keep them apart.

    Client certificates are one more that vouches, without a prefix.
    """
    prefixes = [issuer.principal_prefix for issuer in config.identity.oidc]
    tls = config.ingress.listen.tls
    if tls is not None and tls.client_ca_file is not None:
        prefixes.append("")
    apart = not any(one.startswith(other) for one, other in permutations(prefixes, 2))
    return 1 if apart else len(prefixes)


def read_files(paths: Sequence[Path]) -> list[PolicyFile]:
    """Policy files as text, named as they were given. Raises `PoliciesUnusable`."""
    return [PolicyFile(str(path), _read(path)) for path in paths]


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_FILE_CHARS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise PoliciesUnusable(f"{path}: cannot be read ({type(error).__name__})") from None
