"""Pages for people: read anything they may, make one call."""
