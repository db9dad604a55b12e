"""Agents and servers to try Tachograph with; they import nothing of it and run without it."""
