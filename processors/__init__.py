"""Faust workers: masking and enrichment. A topic in, a topic out; never a record lost between."""
