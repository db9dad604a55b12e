"""The cache of engine files: nothing leaves it that does not match the lock file.

A file is hashed in full when it arrives and whenever its size or time of change differs from the stamp of its
last full check. The stamps guard against accidents (a torn copy, a full disk, a wrong mirror), and so does the
lock against a mirror; they do not guard against somebody who may write to the cache folder.
"""

import json
import os
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx

from tachograph.cli.stack.errors import ArtifactMissing, CorruptJar, FolderUnusable, NoNetwork
from tachograph.cli.stack.lock import Jar, sha256_of
from tachograph.cli.stack.progress import Advance, Progress

PARALLEL: Final = 8
ATTEMPTS: Final = 3  # per repository and file
CONNECT_TIMEOUT: Final = 10.0  # s
READ_TIMEOUT: Final = 30.0  # s without a byte
_STAMPS: Final = "stamps.json"
_CHUNK: Final = 1 << 17

Stamps = dict[str, list[int | str]]  # path in the cache -> [size, mtime_ns, sha256]


def ensure(jars: Iterable[Jar], cache: Path, repositories: dict[str, str], progress: Progress) -> None:
    """Make every jar present and verified in `cache`; raises a SupplyError or FolderUnusable otherwise."""
    wanted = {jar.path: jar for jar in jars}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        stamps = _read_stamps(cache)
        missing = [jar for jar in wanted.values() if not _verified(jar, cache, stamps)]
        if missing:
            _download_all(missing, cache, repositories, progress)
        _write_stamps(
            cache, {str(jar.path): _stamp(cache / jar.path, jar) for jar in wanted.values()}, stamps
        )
    except OSError as error:
        raise FolderUnusable(cache, error.strerror or str(error), "TACHO_CACHE") from error


def missing_bytes(jars: Iterable[Jar], cache: Path) -> int:
    """How many bytes `ensure` would download now, judged by presence alone."""
    return sum(jar.size for jar in jars if not (cache / jar.path).exists())


def _verified(jar: Jar, cache: Path, stamps: Stamps) -> bool:
    path = cache / jar.path
    if not path.exists():
        return False
    if stamps.get(str(jar.path)) != _stamp(path, jar) and (found := sha256_of(path)) != jar.sha256:
        raise CorruptJar(str(path), jar.sha256, found, "delete the file and run again")
    return True


def _stamp(path: Path, jar: Jar) -> list[int | str]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, jar.sha256]


def _read_stamps(cache: Path) -> Stamps:
    try:
        stamps = json.loads((cache / _STAMPS).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}  # only costs a full check
    return stamps if isinstance(stamps, dict) else {}


def _write_stamps(cache: Path, stamps: Stamps, before: Stamps) -> None:
    if stamps.items() <= before.items():
        return
    part = cache / f"{_STAMPS}.{secrets.token_hex(4)}.part"
    part.write_text(json.dumps(before | stamps))
    part.replace(cache / _STAMPS)


def _download_all(jars: list[Jar], cache: Path, repositories: dict[str, str], progress: Progress) -> None:
    largest_first = sorted(jars, key=lambda jar: -jar.size)
    timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    limits = httpx.Limits(max_connections=PARALLEL)
    with (
        httpx.Client(timeout=timeout, limits=limits, follow_redirects=True) as client,
        progress.downloading(len(jars), sum(jar.size for jar in jars)) as advance,
        ThreadPoolExecutor(PARALLEL, "tacho-fetch") as pool,
    ):
        tasks = [pool.submit(_download, client, jar, cache, repositories, advance) for jar in largest_first]
        try:
            for task in tasks:
                task.result()
        except httpx.TransportError as error:
            raise NoNetwork(len(jars), cache, type(error).__name__) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _download(
    client: httpx.Client, jar: Jar, cache: Path, repositories: dict[str, str], advance: Advance
) -> None:
    answers = []
    for name, base in repositories.items():
        answer = _from_repository(client, f"{base}/{jar.path}", jar, cache / jar.path, advance)
        if answer is None:
            return
        answers.append(f"{answer} by {name}")
    raise ArtifactMissing(jar.coordinate, ", ".join(answers) or "by none: no repository is configured")


def _from_repository(client: httpx.Client, url: str, jar: Jar, target: Path, advance: Advance) -> int | None:
    """None when the file is in place, else the HTTP status of the refusal."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with client.stream("GET", url) as response:
                if response.status_code < httpx.codes.MULTIPLE_CHOICES:
                    _store(response, jar, target, advance)
                    return None
                status = response.status_code
        except httpx.TransportError:
            if attempt == ATTEMPTS:
                raise
            continue
        if status < httpx.codes.INTERNAL_SERVER_ERROR:
            return status
    return status


def _store(response: httpx.Response, jar: Jar, target: Path, advance: Advance) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    digest = sha256()
    try:
        with part.open("wb") as file:
            for chunk in response.iter_bytes(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                advance(len(chunk))
        if digest.hexdigest() != jar.sha256:
            remedy = (
                "a proxy or mirror altered it; run again, or check [repositories] in jgo's configuration file"
            )
            raise CorruptJar(f"the download of {jar.coordinate}", jar.sha256, digest.hexdigest(), remedy)
        part.chmod(0o644)  # engines started by root run as another user, which must be able to read it
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
