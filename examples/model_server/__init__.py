"""A deterministic server of the Anthropic Messages API: the same request, the same answer, no network."""
