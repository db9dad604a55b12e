"""From a template and values to a page. Everything is escaped, and what would hide or steer text is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from tachograph.approvals.view import moment
from tachograph.console.views import span, visible

__all__ = ["Templates"]

FOLDER = Path(__file__).parent / "templates"


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


class Templates:
    """The room's own templates."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            finalize=_shown,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(moment=moment, span=span)

    def page(self, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """The page of this template."""
        return HTMLResponse(self._environment.get_template(f"{name}.html").render(**values), status)
