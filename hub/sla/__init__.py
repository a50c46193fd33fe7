"""Calculations of calendars, clocks and the ledger in plain Python: no Django, no database, no current time."""
