"""Consumers that write the masked topic elsewhere and commit only what was acknowledged."""
