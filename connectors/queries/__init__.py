"""Reads the state of synchronisation: what needs attention and why, and what was delivered."""
