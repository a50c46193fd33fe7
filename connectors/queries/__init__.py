"""Questions about synchronisation: what waits for a person and why, and what has arrived where."""
