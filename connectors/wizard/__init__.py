"""The way from a vendor's name to a live connection, in five pages of the admin."""
