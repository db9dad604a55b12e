"""The auditors' room: what was recorded is told, proven, replayed and lawfully deleted."""
