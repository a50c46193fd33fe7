"""Reading histories that other systems recorded: profiles, rows, and what they become here."""
