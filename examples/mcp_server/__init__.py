"""A real MCP server with a few tools of a support desk."""
