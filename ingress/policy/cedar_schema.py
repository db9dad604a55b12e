"""The Cedar schema that policies are held to when they are loaded, so that a typing error is no outage.

Labels and a tool's arguments have names that only policies know, so each policy is checked against a schema
that has exactly the names it reads: labels are text; an argument is text, a whole number or true/false,
whichever lets the policy pass. Every one of them may be absent, so Cedar asks for a `has` before a read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import cedarpy

from tachograph.ingress.policy.calls import Action
from tachograph.ingress.policy.reads import Reads

__all__ = ["CONTEXT", "RESERVED_ACTIONS", "check", "schema_text"]

RESERVED_ACTIONS = frozenset({"sql.execute", "session.open"})
"""Names that policies may not use yet: nothing would be judged by them."""

REMEMBERED = 2000
"""Policies whose check is remembered."""
_COMMON: Final = {
    "method": "String",
    "path": "String",
    "path_folded": "String",
    "host": "String",
    "query": "Set<String>",
    "content_type?": "String",
    "source?": "ipaddr",
    "actors": "Set<Agent>",
    "time": "{unix: Long, hour: Long, weekday: Long}",
}
_CONTEXT: Final[dict[Action, dict[str, str]]] = {
    Action.HTTP_REQUEST: _COMMON,
    Action.LLM_MESSAGE: _COMMON
    | {"model?": "String", "stream": "Bool", "tools": "Set<String>", "max_tokens?": "Long"},
    Action.LLM_TOOL_USE: _COMMON
    | {
        "model?": "String",
        "tool": "String",
        "arguments": "Arguments",
        "argument_types": "ArgumentTypes",
        "argument_names": "Set<String>",
    },
    Action.MCP_MESSAGE: _COMMON
    | {"batch": "Bool", "rpc_method?": "String", "name?": "String", "uri?": "String"},
    Action.MCP_CALL: _COMMON
    | {
        "batch": "Bool",
        "rpc_method": "String",
        "tool": "String",
        "arguments": "Arguments",
        "argument_types": "ArgumentTypes",
        "argument_names": "Set<String>",
    },
}
CONTEXT: Final = {
    action: tuple(name.removesuffix("?") for name in fields) for action, fields in _CONTEXT.items()
}
"""The attributes of each action's context."""
_ENTITIES = """
type Labels = {%s};
type Arguments = {%s};
type ArgumentTypes = {%s};
entity Group;
entity User, Agent in [Group] = {id: String, kind: String, issuer?: String};
entity Connection = {name: String, protocol: String, labels: Labels};
"""
_ACTION = 'action "%s" appliesTo {principal: [User, Agent], resource: [Connection], context: {%s}};\n'
_TYPES = ("String", "Long", "Bool")
_PREFIX = re.compile(r"^for policy `[^`]*`, ")


def schema_text(
    labels: Iterable[str] = (), arguments: Mapping[str, str] | None = None, types: Iterable[str] = ()
) -> str:
    """The schema in Cedar's own syntax; `arguments` are names and their Cedar types."""
    head = _ENTITIES % (
        _optional(dict.fromkeys(labels, "String")),
        _optional(arguments or {}),
        _optional(dict.fromkeys(types, "String")),
    )
    return head + "".join(
        _ACTION % (action, ", ".join(f"{name}: {type_}" for name, type_ in fields.items()))
        for action, fields in _CONTEXT.items()
    )


@lru_cache(maxsize=REMEMBERED)
def check(text: str, reads: Reads) -> tuple[str, ...]:
    """What is wrong with the one policy in `text`, in Cedar's words; empty where nothing is.

    It is remembered: to check one takes 5 ms, in which nothing else runs, and a reload changes few.
    """
    names = sorted(reads.below("arguments") or ())
    chosen = dict.fromkeys(names, _TYPES[0])
    errors = _errors(text, reads, chosen)
    for name in names:  # one name after the other: errors about one do not depend on the others' types
        for type_ in _TYPES[1:]:
            if not errors:
                return ()
            found = _errors(text, reads, chosen | {name: type_})
            if len(found) < len(errors):
                chosen, errors = chosen | {name: type_}, found
    return tuple(errors)


def _errors(text: str, reads: Reads, arguments: Mapping[str, str]) -> list[str]:
    schema = schema_text(reads.labels, arguments, reads.below("argument_types") or ())
    result = cedarpy.validate_policies(text, schema)
    return sorted({_PREFIX.sub("", item.error) for item in result.errors})


def _optional(fields: Mapping[str, str]) -> str:
    return ", ".join(f"{json.dumps(name)}?: {type_}" for name, type_ in sorted(fields.items()))
