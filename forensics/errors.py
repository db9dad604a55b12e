"""Everything that can go wrong for those who look back, named by whose fault it is.

ForensicsError
`-- OperatorError          whoever runs the command must change something

What is wrong with evidence is no error but a verdict.
"""

from __future__ import annotations

__all__ = ["ForensicsError", "OperatorError"]


class ForensicsError(Exception):
    """Base of every error that this room raises."""


class OperatorError(ForensicsError):
    """A file, a key or an address must be provided or corrected first."""
