"""Formats of dates beside Django's own, by language; templates use them by name."""
