"""Commands that are imported only when they run or are asked for help: the rules take a while to load."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

__all__ = ["LazyGroup"]

_PANEL = "Masking, offline"


class LazyGroup(TyperGroup):
    """The root of `tacho`, with commands that are known by name before their code is loaded."""

    lazy: ClassVar[dict[str, str]] = {"mask": "tachograph.cli.mask", "rules": "tachograph.cli.rules"}

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *self.lazy]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        command = _command(import_module(self.lazy[cmd_name]), cmd_name)
        command.rich_help_panel = _PANEL
        return command


def _command(module: Any, name: str) -> Any:
    """A module offers its commands as `app`, or as one function of the command's name."""
    group = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    group.callback()(lambda: None)  # so that it is a group, whatever is in it
    found = getattr(module, "app", None)
    if isinstance(found, typer.Typer):
        group.add_typer(found, name=name)
    else:
        group.command(name)(getattr(module, name))
    built: Any = typer.main.get_command(group)
    return built.commands[name]
