"""Rules that are broken deliberately, to check that a test fails."""
