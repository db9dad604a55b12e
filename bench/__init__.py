"""Benchmarks: figures beside peers in the same run. `make bench-NAME`; each one's last line is JSON."""
