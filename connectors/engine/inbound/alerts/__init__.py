"""Alerts of monitoring tools become tickets."""
