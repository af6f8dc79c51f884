"""Turn image files into the input of a network: one by one, so that no image depends on its neighbours.

Some processors keep the shape of an image, or cut it into a varying number of patches. A batch then consists
of parts, each with the images of one shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from hubscan.encoders.protocols import Batch
from hubscan.encoders.weights import load_errors
from hubscan.errors import CheckpointError
from hubscan.media.image_size import size
from hubscan.media.images import decode

PATCH_PIXELS: Final = 16 * 16  # a patch of a common vision transformer costs about as much as a token
ASSUMED_SIDE: Final = 224
PART: Final = (
    "part"  # in a batch of several parts: the number of each row's; their inputs are "0/pixel_values"
)
LONGEST: Final = 50  # times its shorter side; resized for a crop of its middle, more would fill the memory
GREY, COLOUR = 1, 3


@dataclass(frozen=True)
class PreparedImages:
    """Image files, which are decoded and resized when their batch is made."""

    processor: Any
    files: Sequence[bytes]
    lengths: Sequence[int]
    background: str = "white"  # under transparent pixels
    channels: int = COLOUR  # that the network reads

    def batch(self, rows: Sequence[int]) -> Batch:
        """Decode and preprocess *rows*."""
        return _joined([self._read(self.files[row]) for row in rows])

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return *rows*: each gives one vector."""
        return rows

    def _read(self, content: bytes) -> Batch:
        image = decode(content, self.background)
        if self.channels == GREY:
            image = image.convert("L").convert("RGB")  # processors count on three channels
        if getattr(self.processor, "do_center_crop", None):
            image = _middle(image)
        with load_errors("its preprocessing cannot read the images"):
            made = self.processor([image], return_tensors="pt")
        read = {name: value for name, value in made.items() if isinstance(value, torch.Tensor)}
        pixels = read.get("pixel_values")
        if self.channels == GREY and pixels is not None and pixels.ndim == 4:
            read["pixel_values"] = pixels[:, :1]
        return read


def prepared(processor: Any, channels: int, files: Sequence[bytes], background: str) -> PreparedImages:
    """Return *files* as they are: a whole sample, decoded, would not fit in memory."""
    patches = getattr(processor, "max_num_patches", None)  # every image is padded to it
    lengths = [patches or max(1, _pixels(processor, content) // PATCH_PIXELS) for content in files]
    return PreparedImages(processor, files, lengths, background, channels)


def parts(batch: Batch) -> Iterator[tuple[list[int] | None, Batch]]:
    """Yield the rows of each part of *batch*, None for all, and its inputs."""
    if PART not in batch:
        yield None, batch
        return
    of_row = batch[PART].tolist()
    for part in range(max(of_row) + 1):
        begin = f"{part}/"
        inputs = {name.removeprefix(begin): made for name, made in batch.items() if name.startswith(begin)}
        yield [row for row, own in enumerate(of_row) if own == part], inputs


def channels_read(model: Any, processor: Any) -> int:
    """Return how many channels *model* reads, and let the statistics of *processor* fit.

    Raises:
        CheckpointError: if these are neither those of a grey nor of a colour image.
    """
    channels = getattr(model.config, "num_channels", COLOUR)
    if channels not in (GREY, COLOUR):
        raise CheckpointError(
            f"its network reads {channels} channels, an image has 1 or 3; choose another checkpoint"
        )
    if getattr(processor, "do_normalize", None):
        for name in ("image_mean", "image_std"):
            stated = getattr(processor, name, None)
            if isinstance(stated, list | tuple):
                setattr(processor, name, _of_three(name, list(stated), channels))
    return channels


def _of_three(name: str, stated: list[float], channels: int) -> list[float]:
    if len(stated) == 1 or (len(stated) == COLOUR and (channels == COLOUR or len(set(stated)) == 1)):
        return (stated * COLOUR)[:COLOUR]
    raise CheckpointError(
        f"its network reads {channels} channels, its {name} is {stated}; correct that in its "
        "preprocessor_config.json"
    )


def _joined(read: Sequence[Batch]) -> Batch:
    """Return one tensor for each input, or several parts if shapes differ."""
    keys = [_shapes(row) for row in read]
    if len(set(keys)) == 1 and (len(read) == 1 or all(len(value) == 1 for value in read[0].values())):
        return {name: torch.cat([row[name] for row in read]) for name in read[0]}
    numbers: dict[Any, int] = {}
    of_row = []
    for place, (key, row) in enumerate(zip(keys, read, strict=True)):
        alone = any(len(value) != 1 for value in row.values())  # the rows of its tensors are not images
        of_row.append(numbers.setdefault(place if alone else key, len(numbers)))
    batch = {PART: torch.tensor(of_row)}
    for part in range(len(numbers)):
        of_part = [row for row, own in zip(read, of_row, strict=True) if own == part]
        batch.update({f"{part}/{name}": torch.cat([row[name] for row in of_part]) for name in of_part[0]})
    return batch


def _shapes(row: Mapping[str, torch.Tensor]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(value.shape)) for name, value in sorted(row.items()))


def _middle(image: Any) -> Any:
    """Return the middle of a very long *image*, out of which the processor will cut its own."""
    long, short = max(image.size), min(image.size)
    if long <= LONGEST * short:
        return image
    begin = (long - LONGEST * short) // 2
    end = begin + LONGEST * short
    return image.crop((begin, 0, end, short) if image.width == long else (0, begin, short, end))


def _pixels(processor: Any, content: bytes) -> int:
    """Return how many pixels *processor* makes of an image, about."""
    stated = getattr(processor, "crop_size", None) or getattr(processor, "size", None)
    asked = {key: side for key, side in dict(stated or {}).items() if isinstance(side, int)}
    sides = [*asked.values()] or [ASSUMED_SIDE]
    nominal = sides[0] * sides[-1]
    cropped = getattr(processor, "do_center_crop", None) and getattr(processor, "crop_size", None)
    keeps_size = getattr(processor, "do_resize", True) is False
    keeps_shape = "shortest_edge" in asked
    if cropped or not (keeps_size or keeps_shape):
        return nominal
    width, height = size(content) or (ASSUMED_SIDE, ASSUMED_SIDE)
    if keeps_size:
        return width * height
    longer = asked["shortest_edge"] * max(width, height) // min(width, height)
    return asked["shortest_edge"] * min(longer, asked.get("longest_edge", longer))
