"""What a person can enter, one form per action."""
