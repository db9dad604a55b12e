"""The audit of a running system: Kafka, OpenSearch and the seal log, each against the others."""
