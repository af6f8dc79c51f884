"""Decode the bytes of an image file to RGB, or say why they cannot be used."""

from __future__ import annotations

import io
import warnings
from typing import Final

from PIL import Image, UnidentifiedImageError

LARGEST_IMAGE: Final = 100_000_000  # pixels; more is taken for a decompression bomb


class ImageError(Exception):
    """These bytes are no image that can be used; the message is a reason to count rows by."""


def decode(content: bytes) -> Image.Image:
    """Return the image in RGB; of an animation the first frame.

    Raises:
        ImageError: if the bytes are no image, are cut off, or claim too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns at a size below ours, on every worker's stderr
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
