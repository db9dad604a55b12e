"""A registry from where the user keeps it: a folder of files, or a configuration file's own sections.

Everything that a part would refuse is refused here first, with file and line.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from tachograph.cli.errors import Refused, WrongUse
from tachograph.ingress.policy.errors import PoliciesRefused
from tachograph.ingress.policy.load import confusable_issuers
from tachograph.ingress.policy.policies import PolicyFile, read_policies
from tachograph.processors.masking.errors import ConfigurationError as RulesRefused
from tachograph.processors.masking.ruleset import load
from tachograph.schemas.config import Configuration
from tachograph.schemas.document import MAX_CONFIG_BYTES, load_configuration
from tachograph.schemas.errors import MalformedRecord
from tachograph.schemas.registry import Registry, registry_of
from tachograph.schemas.registry_folder import FOLDERS, REGISTRY_FILE, load_folder

__all__ = ["check", "check_policies_stay", "of_configuration", "read_registry"]


def read_registry(place: Path, config: Configuration) -> Registry:
    """Read and check; raises WrongUse or ConfigurationError with all that is wrong."""
    if place.is_dir():
        registry = load_folder(_files(place))
    else:
        own = load_configuration(_text(place), file=str(place))
        registry = of_configuration(own, base=place.absolute().parent)
    check(registry, config)
    return registry


def of_configuration(config: Configuration, *, base: Path) -> Registry:
    """What a configuration file registers by its own sections; raises WrongUse for a file it names."""
    names = (*config.policy.files, *config.masking.rules)
    return registry_of(config, {name: _text(base / name) for name in names})


def check(registry: Registry, config: Configuration) -> tuple[str, ...]:
    """Compile all of it, as the parts of this configuration will; raises WrongUse.

    Returns the `@id` of the policies that ask for an approval.
    """
    try:
        registry.canonical()
        registry.over(config)
        files = [PolicyFile(one.file, one.text) for one in registry.policies]
        policies = read_policies(files, issuers=confusable_issuers(config)) if files else ()
        load(texts=[(one.file, one.text) for one in registry.masking.rules])
    except ValidationError as error:
        raise WrongUse("\n".join(item["msg"] for item in error.errors(include_input=False))) from None
    except PoliciesRefused as refused:
        raise WrongUse("\n".join(map(str, refused.problems))) from None
    except (RulesRefused, MalformedRecord) as error:
        raise WrongUse(str(error)) from None
    return tuple(one.id for one in policies if one.approval is not None)


def check_policies_stay(before: Registry, after: Registry) -> None:
    """Raises Refused where the last policies would go: that permits everything, and nobody has said so."""
    if before.policies and not after.policies:
        raise Refused(
            "there are policies in force and none here: nothing would be denied by default any more, and the "
            "connections' `allow` would decide alone. Is the folder whole? If you mean it, say so: "
            '@id("all") permit(principal, action, resource);'
        )


def _files(folder: Path) -> dict[str, str]:
    """Every file but hidden ones: what does not belong there is told, not left out. Raises WrongUse."""
    places = [folder / REGISTRY_FILE, *(folder / name for name in FOLDERS)]
    if not any(place.exists() for place in places):
        wanted = ", ".join(("connections/", "policies/", "masking/", REGISTRY_FILE))
        raise WrongUse(f"{folder}: expected a folder with some of {wanted}")
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    for path in found.values():
        # What is below a linked folder is not listed, and a link may lead nowhere.
        if path.is_symlink() if path.is_dir() else not path.is_file():
            raise WrongUse(f"{path}: expected a folder of its own, or a regular file that is there")
    return {name: _text(path) for name, path in found.items() if path.is_file()}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_CONFIG_BYTES + 1)
        return data.decode("utf-8")
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise WrongUse(f"{path}: expected UTF-8 text") from None
