"""Read the width and height of an image file from its header, without decoding it."""

from __future__ import annotations

import io
import warnings

from PIL import Image


def size(content: bytes) -> tuple[int, int] | None:
    """Return the width and height in pixels, before any rotation; None if the bytes are not an image."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as image:
                return image.size
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None
