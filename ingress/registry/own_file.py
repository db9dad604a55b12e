"""The configuration file and the files that it names, read again once they have changed and stand still.

A file that is being written is not taken: its stamps must be the same at two looks and after the reading.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from tachograph.credentials.private_file import Stamp, stamp
from tachograph.ingress.errors import PoliciesUnusable, RegistryUnusable
from tachograph.ingress.registry.own import own_registry
from tachograph.schemas.config import Configuration
from tachograph.schemas.document import MAX_CONFIG_BYTES, load_configuration
from tachograph.schemas.errors import ConfigurationError, MalformedRecord
from tachograph.schemas.registry import Registry

__all__ = ["OwnFile"]

_Stamps = dict[Path, Stamp | None]


class OwnFile:
    """`look` at it again and again, from one thread."""

    def __init__(self, file: Path, config: Configuration) -> None:
        """`config` is what the file said when the worker began."""
        self._file = file
        self._named = _files(config)
        self._seen: _Stamps = {}
        self._read: _Stamps = {}
        """Empty at first: between the start and the first look the file may have changed."""

    def now(self) -> Registry:
        """What the files register at this moment. Raises `RegistryUnusable`."""
        return self._registry()

    def look(self) -> Registry | None:
        """What the files register, where they may say something else than at the look before; else None.

        Raises `RegistryUnusable`, once for each state of the files.
        """
        now = self._stamps()
        if now == self._read or now != self._seen:
            self._seen = now
            return None
        self._read = now
        registry = self._registry()
        after = self._stamps()
        if after != now:  # written to meanwhile, or other files are named now
            self._read, self._seen = {}, after
            return None
        return registry

    def _stamps(self) -> _Stamps:
        return {path: stamp(path) for path in (self._file, *(self._file.parent / n for n in self._named))}

    def _registry(self) -> Registry:
        try:
            config = load_configuration(self._text(), file=str(self._file))
            self._named = _files(config)
            registry, whole = own_registry(config, base=self._file.parent)
            registry.canonical()
        except ConfigurationError as error:
            raise RegistryUnusable("\n".join(map(str, error.problems))) from None
        except ValidationError as error:
            raise RegistryUnusable("; ".join(item["msg"] for item in error.errors())) from None
        except (PoliciesUnusable, MalformedRecord) as error:
            raise RegistryUnusable(str(error)) from None
        if not whole:
            raise RegistryUnusable("a file of masking.rules cannot be read here")
        return registry

    def _text(self) -> str:
        try:
            with self._file.open("rb") as stream:
                return stream.read(MAX_CONFIG_BYTES + 1).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise RegistryUnusable(f"{self._file}: cannot be read ({type(error).__name__})") from None


def _files(config: Configuration) -> tuple[str, ...]:
    return *config.policy.files, *config.masking.rules
