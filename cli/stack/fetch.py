"""The cache of engine files: nothing leaves it that does not match the lock file.

A file is hashed in full when it arrives and whenever its size or time of change differs from the stamp of its
last full check. The stamps guard against accidents (a torn copy, a full disk), the lock against a wrong or
hostile mirror; neither guards against somebody who may write to the cache folder.
"""

import json
import secrets
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx

from tachograph.cli.stack.errors import ArtifactMissing, CorruptJar, FolderUnusable, NoNetwork
from tachograph.cli.stack.lock import Jar, sha256_of
from tachograph.cli.stack.progress import Advance, Progress
from tachograph.cli.stack.repositories import trust

PARALLEL: Final = 8
ATTEMPTS: Final = 3  # per repository and file
RETRY_WAIT: Final = 0.5  # s, times the number of failures
CONNECT_TIMEOUT: Final = 10.0  # s
READ_TIMEOUT: Final = 30.0  # s without a byte
_STAMPS: Final = "stamps.json"
_CHUNK: Final = 1 << 17

Stamps = dict[str, list[int | str]]  # path in the cache -> [size, mtime_ns, sha256]
Repositories = dict[str, str]  # name -> base URL


def ensure(
    jars: Iterable[Jar], cache: Path, repositories: Callable[[], Repositories], progress: Progress
) -> None:
    """Make every jar present and verified in `cache`; raises a SupplyError or FolderUnusable otherwise.

    `repositories` is asked only when something is missing: a filled cache needs neither network nor settings.
    """
    wanted = {jar.path: jar for jar in jars}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        stamps = _read_stamps(cache)
        missing = [jar for jar in wanted.values() if not _verified(jar, cache, stamps)]
        if missing:
            _download_all(missing, cache, repositories(), progress)
        fresh = {str(jar.path): _stamp(cache / jar.path, jar) for jar in wanted.values()}
        _write_stamps(cache, stamps, fresh)
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


def _write_stamps(cache: Path, before: Stamps, fresh: Stamps) -> None:
    if all(before.get(path) == stamp for path, stamp in fresh.items()):
        return
    part = cache / f"{_STAMPS}.{secrets.token_hex(4)}.part"
    part.write_text(json.dumps(before | fresh))
    part.replace(cache / _STAMPS)


class _GivenUp(Exception):
    """Another file's download failed, or the user pressed Ctrl-C."""


@dataclass(frozen=True, slots=True)
class _Download:
    """What every download of one run shares."""

    client: httpx.Client
    cache: Path
    repositories: Repositories
    advance: Advance
    given_up: threading.Event

    def get(self, jar: Jar) -> None:
        """Put a jar into the cache, from the first repository that has it."""
        answers = []
        for name, base in self.repositories.items():
            status = self._from_repository(f"{base}/{jar.path}", jar)
            if status is None:
                return
            answers.append(f"{status} by {name}")
        raise ArtifactMissing(jar.coordinate, ", ".join(answers))

    def _from_repository(self, url: str, jar: Jar) -> int | None:
        # None when the file is in place, else the HTTP status of the refusal.
        status: int | None = None
        for failures in range(ATTEMPTS):
            self.given_up.wait(RETRY_WAIT * failures)
            try:
                with self.client.stream("GET", url) as response:
                    if response.is_success:
                        self._store(response, jar)
                        return None
                    status = response.status_code
            except httpx.RequestError:
                if failures == ATTEMPTS - 1:
                    raise
                continue
            if status < httpx.codes.INTERNAL_SERVER_ERROR:
                break
        return status

    def _store(self, response: httpx.Response, jar: Jar) -> None:
        target = self.cache / jar.path
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        try:
            if (found := self._write(response, part)) != jar.sha256:
                remedy = "a proxy or mirror altered it; run again, or check jgo's [repositories]"
                raise CorruptJar(f"the download of {jar.coordinate}", jar.sha256, found, remedy)
            part.chmod(0o644)  # engines started by root run as another user, which must be able to read it
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _write(self, response: httpx.Response, part: Path) -> str:
        digest = sha256()
        with part.open("wb") as file:
            for chunk in response.iter_bytes(_CHUNK):
                if self.given_up.is_set():
                    raise _GivenUp
                file.write(chunk)
                digest.update(chunk)
                self.advance(len(chunk))
        return digest.hexdigest()


def _download_all(jars: list[Jar], cache: Path, repositories: Repositories, progress: Progress) -> None:
    largest_first = sorted(jars, key=lambda jar: -jar.size)
    timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    given_up = threading.Event()
    with (
        httpx.Client(timeout=timeout, follow_redirects=True, verify=trust()) as client,
        progress.downloading(len(jars), sum(jar.size for jar in jars)) as advance,
        ThreadPoolExecutor(PARALLEL, "tacho-fetch") as pool,
    ):
        download = _Download(client, cache, repositories, advance, given_up)
        tasks = [pool.submit(download.get, jar) for jar in largest_first]
        try:
            for task in tasks:
                task.result()
        except httpx.RequestError as error:
            raise NoNetwork(len(jars), cache, _reason(error)) from error
        finally:
            given_up.set()
            pool.shutdown(cancel_futures=True)


def _reason(error: httpx.RequestError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate is not trusted: set SSL_CERT_FILE to your authority's"
    return type(error).__name__  # its text may name a host or credentials of a proxy
