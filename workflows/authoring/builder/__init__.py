"""How an admin builds a workflow: pages over the rows of a draft, a picture of it, and its rehearsal."""
