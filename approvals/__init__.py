"""The approvals topic for readers and writers: one tail, one pen, one view. What events mean, schemas say."""
