"""The local engines: real Apache Kafka and real OpenSearch on a machine that has nothing but Python."""
