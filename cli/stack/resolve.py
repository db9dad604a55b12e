"""From coordinates to the closed list of files: asked once, when the lock file is written."""

import tempfile
from pathlib import Path
from typing import Any

from tachograph.cli.stack import lock
from tachograph.cli.stack.repositories import repositories
from tachograph.cli.stack.versions import ROOTS

_RUNTIME_SCOPES = (None, "", "compile", "runtime")


def resolve() -> lock.Lock:
    """Resolve `versions.ROOTS` and hash every file; takes about a minute and 150 MB of network."""
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory(prefix="tacho-lock-") as cache:
        context = MavenContext(repo_cache=Path(cache), remote_repos=repositories(), timeout=60)
        found = {
            folder: _archives(context, roots) if folder.endswith("/dist") else _closure(context, roots)
            for folder, roots in ROOTS.items()
        }
        in_lib = {(jar.group, jar.artifact) for jar in found["opensearch/lib"]}
        return {
            folder: jars if folder.endswith("/lib") else _without(jars, in_lib)
            for folder, jars in found.items()
        }


def _closure(context: Any, roots: tuple[str, ...]) -> tuple[lock.Jar, ...]:
    # Root by root, the first one decides: resolved together, a small addition would shift the versions that
    # the engine itself asks for.
    chosen: dict[tuple[str, str], Any] = {}
    for root in roots:
        inputs, transitive = context.resolver.resolve([context.create_dependency(root)])
        for dep in [*inputs, *transitive]:
            if dep.scope in _RUNTIME_SCOPES:
                chosen.setdefault((dep.groupId, dep.artifactId), dep.artifact)
    return tuple(_hashed(artifact) for artifact in chosen.values())


def _archives(context: Any, roots: tuple[str, ...]) -> tuple[lock.Jar, ...]:
    found = []
    for root in roots:
        group, artifact, version = root.split(":")
        component = context.project(group, artifact).at_version(version)
        found.append(_hashed(component.artifact(packaging="zip")))
    return tuple(found)


def _hashed(artifact: Any) -> lock.Jar:
    path: Path = artifact.resolve()
    return lock.Jar(
        artifact.groupId,
        artifact.artifactId,
        artifact.packaging,
        artifact.version,
        lock.sha256_of(path),
        path.stat().st_size,
    )


def _without(jars: tuple[lock.Jar, ...], held: set[tuple[str, str]]) -> tuple[lock.Jar, ...]:
    # A class that is both in lib/ and in a module is "jar hell": OpenSearch would refuse to start.
    return tuple(jar for jar in jars if (jar.group, jar.artifact) not in held)
