"""From an exchange to sealed records: strands, sessions, claims, and their way through the spool to Kafka."""
