"""The reviewers' room: pages and an API on which risky calls are looked at and decided."""
