"""The seal log: masked records become leaves of Merkle trees, whose roots are signed and published."""
