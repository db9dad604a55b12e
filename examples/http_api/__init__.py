"""A small HTTP API: tickets of a support desk."""
