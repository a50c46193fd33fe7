"""The three places where ConnectWise shows a note, which are its visibilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DISCUSSION, INTERNAL, RESOLUTION = "discussion", "internal", "resolution"
FLAGS = {
    DISCUSSION: "detailDescriptionFlag",
    INTERNAL: "internalAnalysisFlag",
    RESOLUTION: "resolutionFlag",
}
"""Each place, and the flag of a note that says so. A note without any of them is refused with status 400."""


def visibility_of(note: Mapping[str, Any]) -> str:
    """The place of a note: internal only where no flag shows it to the customer as well; it can have several."""
    if note.get(FLAGS[DISCUSSION]):
        return DISCUSSION
    return RESOLUTION if note.get(FLAGS[RESOLUTION]) else INTERNAL
