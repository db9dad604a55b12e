"""fetch.py: only files that match the lock leave the cache."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tachograph.cli.stack import fetch
from tachograph.cli.stack.errors import ArtifactMissing, CorruptJar, FolderUnusable, NoNetwork
from tachograph.cli.stack.lock import Jar
from tachograph.cli.stack.ports import choose
from tachograph.cli.stack.progress import Advance, Silent


def jar(name: str, content: bytes) -> Jar:
    return Jar("org.example", name, "jar", "1.0", hashlib.sha256(content).hexdigest(), len(content))


CONTENTS = {name: name.encode() * 50_000 for name in ("one", "two", "three")}
JARS = [jar(name, content) for name, content in CONTENTS.items()]


class Repository(ThreadingHTTPServer):
    """A Maven repository on loopback that counts what it is asked."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], refusal: int = 404) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.refusal = refusal
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/maven2"


class Handler(BaseHTTPRequestHandler):
    """Serves the repository's files."""

    server: Repository

    def do_GET(self) -> None:
        path = self.path.removeprefix("/maven2/")
        self.server.asked.append(path)
        content = self.server.files.get(path)
        self.send_response(200 if content is not None else self.server.refusal)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Not to standard error."""


@contextmanager
def repository(files: dict[str, bytes], refusal: int = 404) -> Iterator[Repository]:
    with Repository(files, refusal) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def served() -> dict[str, bytes]:
    return {str(item.path): CONTENTS[item.artifact] for item in JARS}


@pytest.fixture(autouse=True)
def _loopback_without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "RETRY_WAIT", 0.0)


def ensure(cache: Path, *bases: str, jars: list[Jar] = JARS) -> None:
    fetch.ensure(jars, cache, lambda: {f"r{n}": base for n, base in enumerate(bases)}, Silent())


def no_repositories() -> dict[str, str]:
    raise AssertionError("a filled cache asks nobody")


def test_files_arrive_once(tmp_path: Path) -> None:
    """Every file comes with its bytes, readable for all; the second call asks nobody."""
    with repository(served()) as server:
        assert fetch.missing_bytes(JARS, tmp_path) == sum(item.size for item in JARS)
        ensure(tmp_path, server.url)
        fetch.ensure(JARS, tmp_path, no_repositories, Silent())
    assert {item.artifact: (tmp_path / item.path).read_bytes() for item in JARS} == CONTENTS
    assert all((tmp_path / item.path).stat().st_mode & 0o777 == 0o644 for item in JARS)
    assert sorted(server.asked) == sorted(served())
    assert fetch.missing_bytes(JARS, tmp_path) == 0
    assert list(tmp_path.rglob("*.part")) == []


def test_an_unchanged_file_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stamp of the last full check stands in for it."""
    with repository(served()) as server:
        ensure(tmp_path, server.url)

    def no_hashing(path: Path) -> str:
        raise AssertionError(f"{path} was hashed again")

    monkeypatch.setattr(fetch, "sha256_of", no_hashing)
    fetch.ensure(JARS, tmp_path, no_repositories, Silent())


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    """One flipped bit of the same length is found, and the message names the file to delete."""
    with repository(served()) as server:
        ensure(tmp_path, server.url)
    path = tmp_path / JARS[0].path
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    os.utime(path, ns=(1, 1))
    with pytest.raises(CorruptJar, match="delete the file and run again") as refused:
        fetch.ensure(JARS, tmp_path, no_repositories, Silent())
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("stamps", [b"", b"[]", b"{", b'{"org/example/one/1.0/one-1.0.jar": [1, 2, "x"]}'])
def test_damaged_stamps_cost_a_full_check_only(tmp_path: Path, stamps: bytes) -> None:
    """Whatever the stamp file holds, the files are what counts."""
    with repository(served()) as server:
        ensure(tmp_path, server.url)
    (tmp_path / "stamps.json").write_bytes(stamps)
    fetch.ensure(JARS, tmp_path, no_repositories, Silent())


def test_an_altered_download_never_enters_the_cache(tmp_path: Path) -> None:
    """A mirror that serves other bytes is told apart by the hash; nothing of its file stays."""
    with (
        repository(served() | {str(JARS[1].path): b"something else"}) as server,
        pytest.raises(CorruptJar, match=r"download of org\.example:two"),
    ):
        ensure(tmp_path, server.url)
    assert not (tmp_path / JARS[1].path).exists()
    assert list(tmp_path.rglob("*.part")) == []


def test_the_second_repository_has_what_the_first_has_not(tmp_path: Path) -> None:
    """Repositories are asked in order."""
    with repository({}) as empty, repository(served()) as full:
        ensure(tmp_path, empty.url, full.url)
        assert len(empty.asked) == len(JARS)


def test_a_file_nobody_has_is_named(tmp_path: Path) -> None:
    """A refusal says which coordinate, and who answered what; a refusal is not asked for twice."""
    with repository({}) as empty:
        with pytest.raises(ArtifactMissing, match=r"org\.example:one:jar:1\.0 .*404 by r0"):
            ensure(tmp_path, empty.url, jars=JARS[:1])
        assert len(empty.asked) == 1


def test_a_failing_server_is_asked_again_but_not_for_ever(tmp_path: Path) -> None:
    """A 503 is tried ATTEMPTS times."""
    with repository({}, refusal=503) as failing:
        with pytest.raises(ArtifactMissing, match="503"):
            ensure(tmp_path, failing.url, jars=JARS[:1])
        assert len(failing.asked) == fetch.ATTEMPTS


def test_no_network_says_what_is_missing(tmp_path: Path) -> None:
    """Nobody listens: the message counts the missing files and names the ways out."""
    with pytest.raises(NoNetwork, match=r"3 engine files .* \(ConnectError\).*TACHO_CACHE"):
        ensure(tmp_path, f"http://127.0.0.1:{choose(0, set())}")


def test_an_untrusted_certificate_is_told_as_such() -> None:
    """It is not the network that is missing then."""
    request = httpx.Request("GET", "https://mirror.example")
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed", request=request)
    assert "SSL_CERT_FILE" in fetch._reason(error)


def test_a_cancelled_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while bytes arrive: the workers give up, no half file stays."""

    class Interrupted(Silent):
        """Presses Ctrl-C at the first chunk."""

        @contextmanager
        def downloading(self, files: int, size: int) -> Iterator[Advance]:
            def advance(count: int) -> None:
                raise KeyboardInterrupt

            yield advance

    with repository(served()) as server, pytest.raises(KeyboardInterrupt):
        fetch.ensure(JARS, tmp_path, lambda: {"r": server.url}, Interrupted())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_cache_that_is_a_file_is_unusable(tmp_path: Path) -> None:
    """The message names the variable that moves the cache."""
    (tmp_path / "cache").write_text("")
    with pytest.raises(FolderUnusable, match="TACHO_CACHE"):
        ensure(tmp_path / "cache", "http://127.0.0.1:9")
