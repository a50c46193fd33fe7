"""Nouns of how tickets move between organisations."""

from .door import Door

__all__ = ["Door"]
