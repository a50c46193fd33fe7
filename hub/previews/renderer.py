"""The process that opens files of strangers: reads one from standard input, writes what was asked to standard output.

It runs alone, with hard limits on memory and time, no files to write and nothing of the environment; see `rendering`.
``describe`` writes JSON, ``draw PAGE`` a WebP picture. Whatever is wrong with the file ends the process with 1.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from typing import Any

MEMORY = 1024 * 1024 * 1024
SECONDS = 8
MOST_PIXELS = 50_000_000
"""A picture with more is not decoded: a small file may claim any size."""
MOST_PAGES = 20
WIDTH = 1200
HEIGHT = 4000
"""No preview is wider or higher."""
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
QUALITY = 82


def limit() -> None:
    """Hard limits: whatever a file makes a library do ends here."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def fitted(width: float, height: float) -> tuple[int, int]:
    """The size of a preview: not larger than the original, within WIDTH and HEIGHT."""
    scale = min(1.0, WIDTH / width, HEIGHT / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _picture(content: bytes) -> Any:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    opened = Image.open(io.BytesIO(content), formats=FORMATS)
    if opened.width * opened.height > MOST_PIXELS:
        raise ValueError("too many pixels")
    opened.draft("RGB", (2 * WIDTH, 2 * HEIGHT))  # a JPEG is decoded no larger than needed
    return ImageOps.exif_transpose(opened)


def _document(content: bytes) -> Any:
    import pypdfium2

    return pypdfium2.PdfDocument(content)


def _page_size(page: Any) -> tuple[int, int]:
    width, height = page.get_size()
    if not (0 < width < 20_000 and 0 < height < 20_000):
        raise ValueError("no usable page size")
    scale = min(WIDTH / width, HEIGHT / height)  # pages are drawn as wide as the preview
    return max(1, round(width * scale)), max(1, round(height * scale))


def is_document(content: bytes) -> bool:
    """Whether the file is a PDF document; readers accept some bytes before the mark."""
    return b"%PDF-" in content[:1024]


def describe(content: bytes) -> dict[str, Any]:
    """The sizes of the previews, and how many pages there are in all."""
    if is_document(content):
        document = _document(content)
        count = len(document)
        sizes = [_page_size(document[number]) for number in range(min(count, MOST_PAGES))]
        return {"kind": "document", "pages": sizes, "count": count}
    picture = _picture(content)
    return {"kind": "picture", "pages": [fitted(picture.width, picture.height)], "count": 1}


def draw(content: bytes, number: int) -> bytes:
    """One page, counted from 0, or the picture, as WebP without any of the original's metadata."""
    if is_document(content):
        page = _document(content)[number]
        width, _height = _page_size(page)
        drawn = page.render(scale=width / page.get_width(), may_draw_forms=False).to_pil().convert("RGB")
    else:
        picture = _picture(content)
        if picture.mode.startswith("I"):  # 16 bits of grey, of which a plain conversion keeps only white
            picture = picture.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")
        has_alpha = "A" in picture.getbands() or "transparency" in picture.info
        drawn = picture.convert("RGBA" if has_alpha else "RGB")
        drawn = drawn.resize(fitted(picture.width, picture.height))
    out = io.BytesIO()
    drawn.info.clear()
    drawn.save(out, "WEBP", quality=QUALITY, method=2)
    return out.getvalue()


def main() -> None:
    limit()
    content = sys.stdin.buffer.read()
    if sys.argv[1] == "describe":
        sys.stdout.write(json.dumps(describe(content)))
    else:
        sys.stdout.buffer.write(draw(content, int(sys.argv[2])))


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:  # whatever it was: the preview is not possible
        sys.stderr.write(f"{type(error).__name__}: {error}"[:500])
        sys.exit(1)
