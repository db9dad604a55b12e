"""The write-ahead spool: what makes a record durable before anything is forwarded."""
