"""Tachograph: the flight log of AI agents.

Each room of the repository (`schemas/`, `ingress/`, `processors/`, `sinks/`, `cli/`) imports as
`tachograph.<room>`.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("tachograph")
