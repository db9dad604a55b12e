"""Keycloak as one process on loopback: a real OIDC and SAML identity provider to try logins with.

Not one of the engines of `tacho up`: its data live in memory and end with it. Its first start on a machine
builds the server for its options and asks, by an exit code, to be started again; what it built is kept beside
the archive, for the starts to come.
"""

import hashlib
import secrets
import shutil
import time
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from tachograph.cli.stack import fetch, lock, places, ports, preflight
from tachograph.cli.stack.child import Child, Command, last_lines
from tachograph.cli.stack.errors import EngineDied, EngineNotReady
from tachograph.cli.stack.jvm import java
from tachograph.cli.stack.places import Places
from tachograph.cli.stack.progress import Progress
from tachograph.cli.stack.repositories import repositories
from tachograph.cli.stack.user import EngineUser, give
from tachograph.cli.stack.versions import KEYCLOAK

__all__ = ["ADMIN", "HEAP_MB", "READY_SECONDS", "Keycloak"]

ADMIN: Final = "admin"
HEAP_MB: Final = 384
DISK_MB: Final = 450  # unpacked, built, and its logs
READY_SECONDS: Final = 300.0  # both starts; 40 s on an idle machine with two cores
STOP_SECONDS: Final = 20.0
_ASK_SECONDS: Final = 5.0
_LOOK: Final = 0.2
_REBUILT: Final = 10  # "built for other options now: start me again"
_FOLDER: Final = f"keycloak-{KEYCLOAK}"
_BUILT: Final = "lib/quarkus"
_THREADS: Final = "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory"
_OPENED: Final = ("java.util", "java.util.concurrent", "java.security", "java.lang")


def settings(port: int, password: str) -> str:
    """The text of keycloak.conf."""
    values = {
        "http-host": ports.LOOPBACK,
        "http-port": port,
        "db": "dev-mem",
        "cache": "local",
        "bootstrap-admin-username": ADMIN,
        "bootstrap-admin-password": password,
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def unpack(archive: Path, folder: Path, built: Path) -> Path:
    """The distribution's own folder, fresh, with what an earlier start built, if one did."""
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(archive) as held:
        held.extractall(folder)
    if built.is_dir():
        shutil.copytree(built, folder / _FOLDER / _BUILT, dirs_exist_ok=True)
    return folder / _FOLDER


def keep(folder: Path, built: Path) -> None:
    """Put what a start built where the next one finds it, in one step; another may have been quicker."""
    part = built.with_name(f"{built.name}.{secrets.token_hex(4)}.part")
    shutil.copytree(folder / _BUILT, part)
    try:
        part.rename(built)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)


def run_command(where: Places, home: Path, *, built: bool) -> Command:
    """Run the server until SIGTERM; not `built`, it may end with the wish to be started again."""
    logs = where.logs / "console.log"
    arguments = [
        *java(where, HEAP_MB),
        "-XX:MaxMetaspaceSize=320m",
        *(["-Dkc.config.built=true"] if built else []),
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        f"-Djava.util.concurrent.ForkJoinPool.common.threadFactory={_THREADS}",
        "-Dpicocli.disable.closures=true",
        "-Dquarkus-log-max-startup-records=10000",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        str(home / "lib" / "quarkus-run.jar"),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
        "start-dev",
    ]
    return Command("keycloak", arguments, home, logs, logs)


class Keycloak:
    """One server. `password` is its administrator's, fresh for each."""

    def __init__(self, home: Path, cache: Path, user: EngineUser | None) -> None:
        self.password = secrets.token_urlsafe(18)
        self.url = ""
        self._home = home
        self._cache = cache
        options = hashlib.sha256(settings(0, "").encode()).hexdigest()[:12]
        self._built = cache / f"{_FOLDER}-built-{options}"
        self._user = user
        self._child: Child | None = None

    def start(self, progress: Progress) -> str:
        """Where it serves, once it does. Call it from a thread that lives as long as it shall."""
        (archive,) = lock.read()["keycloak/dist"]
        preflight.check_disk(self._home, DISK_MB, "TACHO_HOME")
        preflight.check_memory([HEAP_MB])
        preflight.check_disk(
            self._cache, fetch.missing_bytes([archive], self._cache) // preflight.MB, "TACHO_CACHE"
        )
        fetch.ensure([archive], self._cache, repositories, progress)
        port = ports.choose(0, set())
        with places.usable(self._home):
            where = places.prepare("keycloak", self._home, self._user)
            folder = unpack(self._cache / archive.path, where.run / "dist", self._built)
            file = folder / "conf" / "keycloak.conf"
            file.write_text(settings(port, self.password))
            places.hand_out(where, self._user)
            if self._user is not None:
                give(folder, self._user)  # it builds itself, and keeps its temporary files there
            file.chmod(0o600)
        progress.say(f"starting keycloak {KEYCLOAK}")
        try:
            self._serve(where, folder, port)
        except BaseException:
            self.stop()
            raise
        progress.say(f"keycloak serves at {self.url}")
        return self.url

    def stop(self) -> None:
        """End it, within STOP_SECONDS or by SIGKILL; does nothing when it does not run."""
        if self._child is not None:
            self._child.ask_to_end()
            self._child.end(STOP_SECONDS)
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self, where: Places, folder: Path, port: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        url = f"http://{ports.LOOPBACK}:{port}"
        built = False
        child = self._child = Child(run_command(where, folder, built=built), self._user)
        while not _answers(url):
            if death := child.death():
                if built or death.exit_code != _REBUILT:
                    raise EngineDied(death.engine, death.ending, death.log, death.last_lines)
                built = True
                keep(folder, self._built)
                child = self._child = Child(run_command(where, folder, built=built), self._user)
            if time.monotonic() > deadline:
                raise EngineNotReady("keycloak", READY_SECONDS, *last_lines(child.command.log))
            time.sleep(_LOOK)
        self.url = url


def _answers(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/realms/master/.well-known/openid-configuration", timeout=_ASK_SECONDS)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK
