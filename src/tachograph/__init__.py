"""Tachograph: the flight log of AI agents.

Each room of the repository (`schemas/`, `ingress/`, `processors/`, `sinks/` and the others) imports as
`tachograph.<room>`; docs/architecture.md draws them.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("tachograph")
