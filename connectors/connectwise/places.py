"""The three places in which ConnectWise shows a note, which are its visibilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DISCUSSION, INTERNAL, RESOLUTION = "discussion", "internal", "resolution"
FLAGS = {
    DISCUSSION: "detailDescriptionFlag",
    INTERNAL: "internalAnalysisFlag",
    RESOLUTION: "resolutionFlag",
}
"""Each place and its flag. A note without any of them is refused with status 400."""


def visibility_of(note: Mapping[str, Any]) -> str:
    """The place of a note, which can have several flags: internal only if no flag shows it to the customer."""
    if note.get(FLAGS[DISCUSSION]):
        return DISCUSSION
    return RESOLUTION if note.get(FLAGS[RESOLUTION]) else INTERNAL
