"""The forms of the wizard's pages."""
