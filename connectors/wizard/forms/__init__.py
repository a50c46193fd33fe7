"""What each page of the wizard asks."""
