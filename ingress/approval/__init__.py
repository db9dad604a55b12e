"""Approval: a request that people must agree to waits here, durably, and goes on at most once."""
