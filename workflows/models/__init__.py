"""Nouns of how tickets move between organisations."""

from .door import Door
from .notice import Channel, Digest, Endpoint, Notice, NoticePreference, NoticeTemplate, Suppression

__all__ = [
    "Channel",
    "Digest",
    "Door",
    "Endpoint",
    "Notice",
    "NoticePreference",
    "NoticeTemplate",
    "Suppression",
]
