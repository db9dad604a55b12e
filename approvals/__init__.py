"""The approvals topic as readers and writers meet it: one tail, one pen. Events mean what the schemas say."""
