"""`tacho apply|diff|connections`: what is registered, put in force from files."""
