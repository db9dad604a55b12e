"""Masking: bytes of an exchange in, the same bytes without secrets out; pure, and closed on every failure."""
