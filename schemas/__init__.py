"""What is true on the wire: frozen models and codecs. No I/O, no clock, no client library."""
