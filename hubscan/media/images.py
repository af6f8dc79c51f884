"""Decode an image file to RGB as a viewer shows it, or give the reason why it cannot be used.

The orientation in its EXIF block is applied, transparent pixels are put on a background, and grey values of
more than 8 bits are scaled as `hubscan.media.brightness` says.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageColor, UnidentifiedImageError

from hubscan.errors import RecipeError
from hubscan.media.brightness import Range, is_deep, is_faint, range_of, scaled, values_of

VERSION: Final = 2  # raise it when a change gives an image other pixels: it is part of the cache's key
LARGEST_IMAGE: Final = 100_000_000  # pixels; more counts as a decompression bomb
COMMON: Final = ("PNG", "JPEG", "GIF", "WEBP", "TIFF")  # formats with pixels that Pillow may not know
HEIF: Final = re.compile(rb"....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL)
POSTSCRIPT: Final = (b"%!PS", b"\xc5\xd0\xd3\xc6")
FORMATS: Final = (
    *("AVIF", "BLP", "BMP", "CUR", "DCX", "DDS", "DIB", "FITS", "FLI", "FTEX", "GBR", "GIF", "ICNS", "ICO"),
    *("IM", "IMT", "IPTC", "JPEG", "JPEG2000", "MCIDAS", "MPO", "MSP", "PCD", "PCX", "PIXAR", "PNG", "PPM"),
    *("PSD", "QOI", "SGI", "SPIDER", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM", "XVTHUMB"),
)
"""What Pillow decodes by itself; for others it runs a program (EPS) or a handler that somebody registered."""
UNMARKED: Final = ("TGA", "PCX")  # formats that other bytes may look like
ORIENTATION: Final = 0x0112  # the EXIF tag
UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(Exception):
    """These bytes are not a usable image; the message is a reason, by which rows are counted."""


@dataclass(frozen=True)
class Decoded:
    """An image in RGB, and what had to be decided to show it in 8 bits without transparency."""

    image: Image.Image
    transparent: bool = False  # some pixels are not opaque
    span: Range | None = None  # the values of black and white, if the pixels had more than 8 bits
    faint: bool = False  # they use little of it


def color(name: str) -> tuple[int, int, int]:
    """Return the red, green and blue of a color, given by a name or as #rrggbb.

    Raises:
        RecipeError: if there is no such color.
    """
    try:
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError as error:
        raise RecipeError(
            f"background: no color is called {name!r}; pass a name such as white, or #rrggbb"
        ) from error
    return red, green, blue


def decode(content: bytes, background: str = "white") -> Image.Image:
    """Return the image in RGB; for an animation or several pages, the first.

    Raises:
        ImageError: as `read` does.
        RecipeError: if there is no such color as *background*.
    """
    return read(content, background).image


def read(content: bytes, background: str = "white") -> Decoded:
    """Return the image in RGB on *background*, and what had to be decided.

    Raises:
        ImageError: if the bytes are not an image, are cut off, claim too many pixels, or contain pixels that
            are not finite.
        RecipeError: if there is no such color as *background*.
    """
    with warnings.catch_warnings():
        # Pillow's limit is lower, and it would warn on every worker's stderr.
        warnings.simplefilter("ignore")
        with _opened(content) as image:
            if image.width * image.height > LARGEST_IMAGE:
                raise ImageError("too many pixels")
            return flat(image, background)


def is_image(content: bytes) -> bool:
    """Return whether *content* begins like an image file; its pixels are not read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _opened(content) as image:
                return image.format not in UNMARKED
        except ImageError as reason:
            return str(reason) == "too many pixels" or _begins_as_image(content)


def flat(image: Image.Image, background: str = "white") -> Decoded:
    """Return an open *image* of any mode in RGB: upright, in 8 bits, and on *background*.

    Raises:
        ImageError: if it cannot be read, or contains pixels that are not finite.
        RecipeError: if there is no such color as *background*.
    """
    below = color(background)
    image = _loaded(image)
    if is_deep(image):
        return _shallow(image, below)
    if not image.has_transparency_data:
        return Decoded(_upright(image).convert("RGB"))
    clear = _with_alpha(image)
    if clear.getchannel("A").getextrema() == (255, 255):
        return Decoded(_upright(image, clear).convert("RGB"))
    return Decoded(_upright(image, _composed(clear, below)), transparent=True)


def _shallow(image: Image.Image, below: tuple[int, int, int]) -> Decoded:
    values = values_of(image)
    if not np.isfinite(values).all():
        raise ImageError("NaN or infinite pixels")
    span = range_of(image, values)
    grey = scaled(image, values, span).convert("RGB")
    faint = is_faint(values, span)
    clear = values == image.info["transparency"] if "transparency" in image.info else np.zeros(1, bool)
    if clear.any():
        grey.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
        grey = _composed(grey, below)
    return Decoded(_upright(image, grey), bool(clear.any()), span, faint)


def _with_alpha(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # Pillow converts it to nothing else
        image = image.convert("LA")
    return image.convert("RGBA")


def _composed(clear: Image.Image, below: tuple[int, int, int]) -> Image.Image:
    canvas = Image.new("RGBA", clear.size, (*below, 255))
    canvas.alpha_composite(clear)
    return canvas.convert("RGB")


def _upright(image: Image.Image, pixels: Image.Image | None = None) -> Image.Image:
    """Return *pixels* turned as the EXIF block of *image* says.

    Unlike `ImageOps.exif_transpose`, this does not write the block again, which fails if it is broken.
    """
    pixels = image if pixels is None else pixels
    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a broken block says nothing about the pixels
        turn = None
    return pixels if turn is None else pixels.transpose(turn)


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_installed())
    except UnidentifiedImageError as error:
        if _begins_as_image(content):
            raise ImageError("unsupported or damaged image") from error
        raise ImageError("not an image") from error
    except Image.DecompressionBombError as error:
        raise ImageError("too many pixels") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise what they like for damaged files
        raise ImageError("corrupt image") from error


@cache
def _installed() -> tuple[str, ...]:
    """Return those of `FORMATS` that this Pillow has; it would try to load all others for an unknown name."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _begins_as_image(content: bytes) -> bool:
    accepts = (Image.OPEN[kind][1] for kind in COMMON if kind in Image.OPEN)
    known = any(accept is not None and accept(content[:16]) is True for accept in accepts)
    return known or HEIF.match(content) is not None or content.startswith(POSTSCRIPT)


def _loaded(image: Image.Image) -> Image.Image:
    """Return *image* with its pixels, and with the transparent grey of a PNG file as those pixels have it."""
    tiles = getattr(image, "tile", None) if image.format == "PNG" else None
    packed = tiles[0][3] if tiles else None
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise ImageError("too many pixels") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise what they like for damaged files
        raise ImageError("corrupt image") from error
    grey = image.info.get("transparency")
    if packed in ("L;2", "L;4") and isinstance(grey, int):
        image.info["transparency"] = grey * 255 // (3 if packed == "L;2" else 15)
    return image
