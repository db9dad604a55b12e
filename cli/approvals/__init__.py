"""Requests that wait for people, from the command line: seen, approved, denied; grants seen and revoked."""
