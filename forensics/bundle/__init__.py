"""The bundle: one session with its proofs in one file (docs/spec/bundle.md); bytes in, values out."""
