"""The views of the console. Each reads what its user may see, or makes one call that changes something."""
