"""The thin proxy: decide, relay, record. It never reads what it relays for meaning beyond policy."""
