"""Where a worker's registry comes from: what it serves by first, and who replaces that meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

import structlog

from tachograph.ingress.errors import RegistryUnusable
from tachograph.ingress.registry.compiling import Compiler
from tachograph.ingress.registry.following import follow_file
from tachograph.ingress.registry.in_force import follow_topic
from tachograph.ingress.registry.own import own_digest, own_registry
from tachograph.ingress.registry.own_file import OwnFile
from tachograph.ingress.registry.standing import Standing
from tachograph.ingress.relay import Registered
from tachograph.schemas.config import Configuration
from tachograph.schemas.registry import Registry

__all__ = ["Origin", "serving_by"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """A configuration, what its relative paths are relative to, and the file that it was read from."""

    config: Configuration
    base: Path
    file: Path | None
    """None where it came from no file: then nothing is followed."""

    @property
    def control_key(self) -> Path:
        return self.base / self.config.keys.control_file

    @property
    def followed(self) -> bool:
        """Whether what is registered may become something else while we serve."""
        return self.config.registry.source == "topic" or (self.file is not None and self.control_key.exists())


async def serving_by(
    origin: Origin, compiler: Compiler, opened: contextlib.AsyncExitStack
) -> tuple[Standing | None, Registered]:
    """None where what is served by stays until the next start. Raises `OperatorError`."""
    if origin.config.registry.source == "topic":

        def own() -> Registered:
            registry, _ = own_registry(origin.config, base=origin.base)
            # Who masks has no snapshot of what was never released: it goes by its own file too.
            return compiler.compile(registry, None)

        following = follow_topic(origin.config, compiler, own, base=origin.base)
        return await opened.enter_async_context(following)
    return await _by_file(origin, compiler, opened)


async def _by_file(
    origin: Origin, compiler: Compiler, opened: contextlib.AsyncExitStack
) -> tuple[Standing | None, Registered]:
    registry, whole = await asyncio.to_thread(_as_it_is_now, origin)
    digest = own_digest(registry, whole=whole)
    registered = await asyncio.to_thread(compiler.compile, registry, digest)
    if origin.file is None or digest is None or not origin.followed:
        reason = "it has no name" if digest is None else f"{origin.control_key} is missing"
        _log.info("registry_not_followed", reason=reason)
        return None, registered
    return opened.enter_context(follow_file(origin.config, compiler, registry, file=origin.file)), registered


def _as_it_is_now(origin: Origin) -> tuple[Registry, bool]:
    """The registry, and whether it is whole: of the file as it is now, so that a worker that takes a dead
    one's place does not serve by what the file said when its supervisor began. Raises `PoliciesUnusable`.
    """
    if origin.file is not None and origin.followed:
        try:
            now = OwnFile(origin.file, origin.config).now()
            if now.policies or not origin.config.policy.files:
                return now, True
        except RegistryUnusable as error:
            _log.error("registry_refused", reason=error.detail)
    return own_registry(origin.config, base=origin.base)
