"""`tacho policy`: check policies, try them on cases, explain a decision, replay recorded traffic."""
