"""The escrow of removed values from the command line: holders' keys, their shares, and one value proven."""
