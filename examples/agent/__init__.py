"""A plain agent: the anthropic SDK, an MCP client and httpx. Base URLs and a key are all it is told."""
