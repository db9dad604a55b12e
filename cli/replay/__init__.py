"""`tacho replay`: a recorded session served as the upstream again, or asked of a test target."""
