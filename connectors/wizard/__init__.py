"""Setting up a connection in five pages of the admin."""
