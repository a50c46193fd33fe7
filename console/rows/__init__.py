"""Rows for templates: a record with the data that a page shows about it."""
