"""A recorded session played again: as the upstream of an agent, or against a test target."""
