"""Additional date formats by language, which templates use by name."""
