"""The forms of the console, one per action."""
