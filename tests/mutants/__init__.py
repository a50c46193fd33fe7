"""Laws broken on purpose, to see that a test notices."""
