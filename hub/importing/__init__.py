"""Import of ticket logs from other systems: profiles, rows, and the records made from them."""
