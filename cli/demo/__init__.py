"""The demo: a real agent's work through the real engines, and the proof of what is claimed about it."""
