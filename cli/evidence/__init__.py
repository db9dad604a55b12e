"""`tacho export`, `tacho verify`, `tacho trust`: evidence out of the system, and checked without it."""
