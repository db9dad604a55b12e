"""Wiring only: the `tacho` command, the one room that may know all the others."""
