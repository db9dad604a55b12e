"""From YAML text to `Configuration` (or another model), or to every problem in it by file, line and key.

YAML keeps each node's line; JSON Schema says what was expected; the model checks what a schema cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

import jsonschema
import yaml
from pydantic import BaseModel, ValidationError

from tachograph.schemas.config import Configuration
from tachograph.schemas.errors import ConfigurationError, ConfigurationProblem

__all__ = ["MAX_CONFIG_BYTES", "configuration_schema", "load_configuration", "load_model"]

MAX_CONFIG_BYTES = 4 << 20
MAX_NODES = 100_000
"""Values of one file, with what its anchors multiply."""
_SHOWN = 40
_PRIVATE = ("credential", "password", "secret", "token", "key", "source")
_WANTED = {
    "type": "a value of type {}",
    "const": "{!r}",
    "pattern": "text of the form {}",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "anyOf": "a value of another type",
}
Path = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


def configuration_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the configuration file, generated from the model."""
    return _schema(Configuration)


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def load_configuration(text: str, *, file: str) -> Configuration:
    """Check and freeze a configuration; raises `ConfigurationError` with all problems, none hidden."""
    return load_model(text, Configuration, file=file)


def load_model(text: str, model: type[M], *, file: str) -> M:
    """The same for a YAML file of any model."""
    if len(text) > MAX_CONFIG_BYTES:
        raise _refuse(file, 0, "", f"expected at most {MAX_CONFIG_BYTES} bytes")
    lines: dict[Path, int] = {}
    value = _read(text, file, lines)
    problems = tuple(_schema_problems(value, _schema(model), file, lines))
    if problems:
        raise ConfigurationError(problems)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigurationError(tuple(_model_problems(error, file, lines))) from None


def _read(text: str, file: str, lines: dict[Path, int]) -> Any:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        value = None if root is None else _value(root, (), lines, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _refuse(file, mark.line + 1 if mark else 0, "", f"not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise _refuse(file, 0, "", "not YAML: expected UTF-8 text without control characters") from None
    except RecursionError:
        raise _refuse(file, 0, "", "not YAML that we take: nested too deep") from None
    return {} if value is None else value


def _value(node: yaml.Node, path: Path, lines: dict[Path, int], file: str) -> Any:
    line = node.start_mark.line + 1
    if path in lines and lines[path] != line:  # an anchor used twice keeps its first line
        line = lines[path]
    lines[path] = line
    if len(lines) > MAX_NODES:
        raise _refuse(file, line, "", f"expected at most {MAX_NODES} values, with what anchors repeat")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, file)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), lines, file) for index, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int], file: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, item in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in found:
            raise _refuse(file, line, _dotted((*path, key)), "the key stands here twice")
        lines[(*path, key)] = line
        found[key] = _value(item, (*path, key), lines, file)
    return found


def _scalar(node: yaml.Node) -> Any:
    # Dates and other YAML 1.1 surprises stay text; the schema says which types it wants.
    kinds = {"bool", "int", "float", "null"}
    kind = node.tag.rpartition(":")[2]
    if kind not in kinds:
        return node.value
    try:
        return yaml.safe_load(node.value) if node.value else None
    except ValueError:  # more digits than Python reads: as text it is what no schema wants
        return node.value


def _schema_problems(
    value: Any, schema: dict[str, Any], file: str, lines: dict[Path, int]
) -> Iterator[ConfigurationProblem]:
    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(
        validator.iter_errors(value), key=lambda error: (_line(tuple(error.path), lines), str(error.path))
    )
    for error in errors:
        best = jsonschema.exceptions.best_match([error]) or error
        path = (*error.absolute_path, *(best.relative_path if best is not error else ()))
        yield _problem(best, path, file, lines)


def _problem(
    error: jsonschema.ValidationError, path: Path, file: str, lines: dict[Path, int]
) -> ConfigurationProblem:
    schema: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known = sorted(schema.get("properties", ()))
        path = (*path, next((key for key in instance if key not in known), ""))
        message = f"unknown key; expected one of {', '.join(known)}"
    elif error.validator == "required":
        wanted: Any = error.validator_value
        path = (*path, next((key for key in wanted if key not in instance), ""))
        message = "expected this key, it is missing"
    else:
        message = f"expected {_expected(error)}, got {_shown(instance, path)}"
    return ConfigurationProblem(file, _line(path, lines), _dotted(path), message)


def _expected(error: jsonschema.ValidationError) -> str:
    wanted: Any = error.validator_value
    if error.validator == "enum":
        return f"one of {', '.join(map(str, wanted))}"
    template = _WANTED.get(str(error.validator), "a value that fits its schema")
    return template if error.validator == "anyOf" else template.format(wanted)


def _shown(value: Any, path: Path) -> str:
    if isinstance(value, dict | list):
        return f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)}"
    private = any(word in str(part).lower() for part in path for word in _PRIVATE)
    text = repr(value)
    if isinstance(value, str) and (private or len(text) > _SHOWN):
        return f"text of {len(value)} characters"
    return text


def _model_problems(
    error: ValidationError, file: str, lines: dict[Path, int]
) -> Iterator[ConfigurationProblem]:
    for item in error.errors(include_input=False, include_url=False):
        path = tuple(item["loc"])
        yield ConfigurationProblem(
            file, _line(path, lines), _dotted(path), item["msg"].removeprefix("Value error, ")
        )


def _line(path: Sequence[str | int], lines: dict[Path, int]) -> int:
    for end in range(len(path), -1, -1):
        if tuple(path[:end]) in lines:
            return lines[tuple(path[:end])]
    return 0


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))


def _refuse(file: str, line: int, key: str, message: str) -> ConfigurationError:
    return ConfigurationError((ConfigurationProblem(file, line, key, message),))
