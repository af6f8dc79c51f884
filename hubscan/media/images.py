"""Decode an image file to RGB, or give the reason why it cannot be used."""

from __future__ import annotations

import io
import warnings
from typing import Final

from PIL import Image, UnidentifiedImageError

LARGEST_IMAGE: Final = 100_000_000  # pixels; more counts as a decompression bomb


class ImageError(Exception):
    """These bytes are not a usable image; the message is a reason, by which rows are counted."""


def decode(content: bytes) -> Image.Image:
    """Return the image in RGB; for an animation, its first frame.

    Raises:
        ImageError: if the bytes are not an image, are cut off, or claim too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # Pillow's limit is lower, and it would warn on every worker's stderr
            with Image.open(io.BytesIO(content)) as image:
                if image.width * image.height > LARGEST_IMAGE:
                    raise ImageError("too many pixels")
                return image.convert("RGB")
    except UnidentifiedImageError as error:
        raise ImageError("not an image") from error
    except Image.DecompressionBombError as error:
        raise ImageError("too many pixels") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise
        raise ImageError("corrupt image") from error
