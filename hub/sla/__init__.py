"""Sums: calendars, clocks and the ledger, in plain Python. No Django, no database, no now()."""
