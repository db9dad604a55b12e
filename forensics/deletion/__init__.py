"""Lawful deletion: stated, signed and sealed first, then done; docs/spec/deletion.md."""
