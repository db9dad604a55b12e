"""A witness: it cosigns the checkpoints of logs that it knows, as long as they only ever grow."""
