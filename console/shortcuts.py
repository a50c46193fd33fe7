"""The keyboard shortcuts: what each single key does, and the keys a person has chosen instead."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SHORTCUTS: Mapping[str, Promise | str] = {
    "j": _("next ticket"),
    "k": _("previous ticket"),
    "x": _("choose the ticket"),
    "a": _("assign"),
    "t": _("take the ticket"),
    "h": _("hand over"),
    "m": _("write a message"),
    "r": _("reply to the requester"),
    "p": _("record a reply from the requester"),
    "e": _("edit the ticket"),
    "w": _("watch the ticket"),
    "u": _("undo"),
    "/": _("search"),
    "?": _("list of shortcuts"),
}
"""By the key that acts unless a person has chosen another one. Templates name a control's key by `data-key`."""


def usable(keys: Mapping[str, str]) -> bool:
    """Whether each key that is chosen is a single visible character, and no key does two things."""
    if not all(len(key) == 1 and key.isprintable() and not key.isspace() for key in keys.values()):
        return False
    all_keys = [keys.get(default, default) for default in SHORTCUTS]
    return len(set(all_keys)) == len(all_keys)
