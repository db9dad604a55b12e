"""Says what happened: parses masked LLM, MCP and HTTP exchanges, counts, links, and speaks OCSF."""
