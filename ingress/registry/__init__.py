"""What is registered, while agents are served: read, compiled aside, swapped as one."""
