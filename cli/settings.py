"""Which configuration a command works with: --config or TACHO_CONFIG, ./tacho.yaml, or the home folder's.

The home folder holds what running leaves behind: logs, run state, the managed engines' data. It is the
configuration file's own folder where `tacho` made both, else TACHO_HOME, else `.tacho` beside the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tachograph.cli.errors import NoConfiguration, WrongUse
from tachograph.cli.patient_file import read_at_most

if TYPE_CHECKING:  # building the models takes longer than `tacho --help` may
    from tachograph.schemas.config import Configuration

__all__ = [
    "CONFIG_NAME",
    "HOME_NAME",
    "ConfigOption",
    "JsonOption",
    "Settings",
    "default_home",
    "load",
    "locate",
]

CONFIG_NAME = "tacho.yaml"
HOME_NAME = ".tacho"
HOME_MARK = ".tacho-home"
"""A file that says that `tacho` made this folder; what it holds says what for."""

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="TACHO_CONFIG", metavar="FILE", help="The configuration file."),
]
JsonOption = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class Settings:
    """A checked configuration and where things lie."""

    file: Path
    configuration: Configuration
    home: Path

    @property
    def base(self) -> Path:
        """What relative paths in the file are relative to."""
        return self.file.parent


def load(given: Path | None) -> Settings:
    """Find, read and check the configuration; raises WrongUse or ConfigurationError, both with what to do."""
    from tachograph.schemas.document import MAX_CONFIG_BYTES, load_configuration

    file = locate(given, os.environ, Path.cwd())
    try:
        text = read_at_most(file, MAX_CONFIG_BYTES + 1).decode()
    except OSError as error:
        raise WrongUse(
            f"{file}: cannot be read ({error.strerror}); name another with --config FILE"
        ) from None
    except UnicodeDecodeError:
        raise WrongUse(f"{file}: expected UTF-8 text") from None
    return Settings(file, load_configuration(text, file=str(file)), _home(file, os.environ))


def locate(given: Path | None, environ: Mapping[str, str], folder: Path) -> Path:
    """The configuration file that applies in `folder`; raises NoConfiguration with the places looked at."""
    if given is not None:
        return given.absolute()
    looked = (folder / CONFIG_NAME, default_home(environ, folder) / CONFIG_NAME)
    found = next((path for path in looked if path.is_file()), None)
    if found is None:
        raise NoConfiguration(looked)
    return found


def default_home(environ: Mapping[str, str], folder: Path) -> Path:
    """TACHO_HOME, else `.tacho` in `folder`."""
    told = environ.get("TACHO_HOME")
    return Path(told).absolute() if told else folder / HOME_NAME


def _home(file: Path, environ: Mapping[str, str]) -> Path:
    made = (file.parent / HOME_MARK).exists()
    return file.parent if made else default_home(environ, file.parent)
