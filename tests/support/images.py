"""Small images, as the bytes of files."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def plain_image(colour: tuple[int, int, int], mode: str = "RGB") -> bytes:
    stored = io.BytesIO()
    Image.new("RGB", (12, 12), colour).convert(mode).save(stored, "TIFF" if mode == "CMYK" else "PNG")
    return stored.getvalue()


def png(seed: int, side: int = 40) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "PNG")
    return stored.getvalue()


IMAGES = [png(0), png(1, 64), png(2)]
