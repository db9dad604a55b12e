"""What goes wrong when a part serves its operators, by whose fault it is.

OperationsError
└── CannotListen    the operator's: the address is taken, or not of this machine
"""

__all__ = ["CannotListen", "OperationsError"]


class OperationsError(Exception):
    """The base."""


class CannotListen(OperationsError):
    """Choose another port, or 0 for one that is free."""
