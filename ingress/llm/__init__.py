"""What models answer, read as it streams by: tool calls are held back until they were judged; no I/O."""
