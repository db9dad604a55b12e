"""HTTP/1.1 as the ingress takes it: parsers without I/O, rules for fields, the agent's side of the wire."""
