"""Previews of files, each made in a process of its own that is killed when it takes too long."""

from __future__ import annotations

import codecs
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.core.sentences import sentence
from hub.translation import Refusal

SECONDS = 10.0
"""After this time the process is killed."""
AT_ONCE = 2
"""So many files one web process has drawn at once."""
LONGEST_WAIT = 0.3
"""So long a request waits for its turn; it occupies a thread of the web server meanwhile."""
MOST_TEXT = 100_000
"""So many characters of a text are shown."""
TEXTS = (".txt", ".log", ".csv", ".md", ".json", ".ini", ".conf", ".cfg", ".yml", ".yaml", ".toml", ".eml")
DRAWN = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".pdf")
_RENDERER = Path(__file__).with_name("renderer.py")
_free = threading.BoundedSemaphore(AT_ONCE)


class NoPreview(Refusal):
    """There is no preview of the file; the message says why."""


class Busy(NoPreview):
    """Too many previews are being made at this moment."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a preview shows: pages to draw with their sizes in pixels, or a text."""

    pages: Sequence[tuple[int, int]] = ()
    count: int = 0
    """How many pages the document has; not all of them may be shown."""
    text: str = ""
    is_cut: bool = False
    """Whether the text goes on."""


def is_offered(name: str) -> bool:
    """Whether a file of this name may have a preview. SVG and HTML have none: they are programs."""
    return name.lower().endswith(TEXTS + DRAWN)


def preview(name: str, content: bytes) -> Preview:
    """What can be shown of a file. NoPreview if nothing can."""
    lower = name.lower()
    if lower.endswith(TEXTS):
        return _text(content)
    if not lower.endswith(DRAWN):
        raise NoPreview(sentence("There is no preview of files of this kind. Download the file to open it."))
    found = json.loads(_rendered(content, "describe"))
    return Preview(pages=[(width, height) for width, height in found["pages"]], count=found["count"])


def draw(content: bytes, page: int) -> bytes:
    """One page, counted from 0, as a WebP picture. NoPreview if it cannot be drawn."""
    return _rendered(content, "draw", str(page))


def _text(content: bytes) -> Preview:
    if b"\x00" in content[:4096] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NoPreview(sentence("This is not a text file. Download the file to open it."))
    part = content[: 4 * MOST_TEXT]
    encoding = "utf-16" if part.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        # The part may end within a character; anything else that cannot be decoded means another encoding.
        text = codecs.getincrementaldecoder(encoding)().decode(part, final=len(part) == len(content))
    except UnicodeDecodeError:
        text = part.decode("cp1252", "replace")
    return Preview(text=text[:MOST_TEXT], is_cut=len(text) > MOST_TEXT or len(part) < len(content))


def _rendered(content: bytes, *what: str) -> bytes:
    if not _free.acquire(timeout=LONGEST_WAIT):
        raise Busy(sentence("Too many previews are being made now. Try again in a moment."))
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and script, isolated from the environment
            [sys.executable, "-I", str(_RENDERER), *what],
            input=content,
            capture_output=True,
            timeout=SECONDS,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoPreview(sentence("Drawing the file took too long. Download the file to open it.")) from error
    finally:
        _free.release()
    if done.returncode:
        raise NoPreview(
            sentence("The file is damaged, protected or too large for a preview. Download the file to open it.")
        )
    return done.stdout
