"""Scale grey images of more than 8 bits to 8 bits, by a range that does not depend on the single image.

| pixels                                  | range                                                       |
|-----------------------------------------|-------------------------------------------------------------|
| unsigned 16-bit integers                | 0 to 65,535; in a TIFF file of 9 to 15 bits, what they hold  |
| 32-bit integers, all positive           | the first of 255, 65,535, 2³¹ - 1, 2³² - 1 that holds them   |
| floats, all positive                    | the first of 1, 255, 65,535, 2³¹ - 1, 2³² - 1                |
| integers or floats, some negative       | the first of ±1 (floats), ±128, ±32,768, ±2³¹                |

The brightest pixel of an image decides nothing else: to stretch each image to its own values would make dark
and bright images alike. Floats may exceed a range by a tenth, as resampling does; they are cut off there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

INTEGER_LIMITS: Final = (255, 65_535, 2**31 - 1, 2**32 - 1)
SIGNED_LIMITS: Final = (128, 32_768, 2**31)
OVERSHOOT: Final = 1.1  # times the limit: what resampling adds to floats
UNDERSHOOT: Final = 0.1  # of the brightest pixel: floats that are less negative are not signed
FAINT: Final = 1 / 16  # of the range; 12-bit values use as much of 16 bits
BITS_PER_SAMPLE: Final = 258  # tags of TIFF
PHOTOMETRIC: Final = 262
SAMPLE_FORMAT: Final = 339
UNSIGNED: Final = (1,)
MIN_IS_WHITE: Final = 0

Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Range:
    """The values of black and white."""

    black: int
    white: int

    def __str__(self) -> str:
        return f"{self.black:,} to {self.white:,}"


def is_deep(image: Image.Image) -> bool:
    """Return whether *image* has grey pixels of more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def values_of(image: Image.Image) -> Values:
    """Return the pixels (height, width) of a deep image."""
    values = np.asarray(image)
    unsigned = image.mode == "I" and _tag(image, BITS_PER_SAMPLE) == (32,)
    return values.view(np.uint32) if unsigned and _tag(image, SAMPLE_FORMAT) == UNSIGNED else values


def range_of(image: Image.Image, values: Values) -> Range:
    """Return the range of a deep image, given its *values*, which are finite."""
    if image.mode.startswith("I;16"):
        bits = (_tag(image, BITS_PER_SAMPLE) or (16,))[0]
        return Range(0, 2**bits - 1 if 8 < bits < 16 else 65_535)
    floats = image.mode == "F"
    least, most = float(values.min()), float(values.max())
    limits: tuple[int, ...] = (1,) if floats else ()
    over = OVERSHOOT if floats else 1.0
    if least < (-UNDERSHOOT * max(most, 0.0) if floats else 0.0):
        limits += SIGNED_LIMITS
        limit = next((one for one in limits if max(-least, most) <= over * one), limits[-1])
        return Range(-limit, limit if floats and limit == 1 else limit - 1)
    limits += INTEGER_LIMITS
    return Range(0, next((one for one in limits if most <= over * one), limits[-1]))


def scaled(image: Image.Image, values: Values, span: Range) -> Image.Image:
    """Return a deep image in mode L: *values* of *span* become 0 to 255, rounded."""
    share = (np.clip(values.astype(np.float64), span.black, span.white) - span.black) / (
        span.white - span.black
    )
    if _tag(image, PHOTOMETRIC) == MIN_IS_WHITE:  # Pillow inverts only images of up to 8 bits
        share = 1 - share
    return Image.fromarray(np.rint(share * 255).astype(np.uint8))


def is_faint(values: Values, span: Range) -> bool:
    """Return whether *values* use so little of *span* that most of what they show is lost in 8 bits."""
    return float(values.max()) - float(values.min()) <= FAINT * (span.white - span.black)


def _tag(image: Image.Image, number: int) -> Any:
    tags = getattr(image, "tag_v2", None)
    return None if tags is None else tags.get(number)
