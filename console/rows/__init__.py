"""What templates get for one row: a record and what a page says about it."""
