"""Saved objects for OpenSearch Dashboards: made by `build`, shipped as NDJSON, imported by `importer`."""
