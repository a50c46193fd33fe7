"""Turns the alerts of monitoring tools into tickets."""
