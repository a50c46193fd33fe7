"""The builder: admin pages that edit the rows of a draft, draw it as a graph and show its dry run."""
