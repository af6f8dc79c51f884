"""Refuse a config that states sizes which its weights do not have, before the network is built."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from hubscan.errors import CheckpointError
from hubscan.hub.local_facts import tensors_in

LAYERS: Final = re.compile(r"(layers?|blocks?|stages?)$|^depths?$")
"""Keys of a config that tell how often something is repeated."""
MOST_LAYERS: Final = 1_000  # unless the weights have more tensors; in ALBERT layers share theirs
TIMES: Final = 10  # of the weights in the file: an audio classifier may lack Whisper's decoder
SPARE: Final = 50_000_000  # numbers that may be missing from any file


def refuse_other_sizes(folder: Path, network: Any, config: Any) -> None:
    """Compare what *config* describes with the header of the weights in *folder*.

    The network is built without memory for its weights. One that has far more of them than the file would
    take memory for random numbers, and is refused in the end.

    Raises:
        CheckpointError: with both sizes, or if the weights are not floating-point numbers.
    """
    tensors = tensors_in(folder)
    if not tensors:  # elsewhere or damaged, which loading reports
        return
    stored = sum(math.prod(shape) for _, shape in tensors)
    whole = sum(math.prod(shape) for dtype, shape in tensors if dtype[0] in "IUB" and dtype != "BF16")
    if 2 * whole > stored:
        raise CheckpointError("its weights are whole numbers; save them in floating point")
    for key, value in _repeats(config.to_dict()):
        if value > max(MOST_LAYERS, len(tensors)):
            raise CheckpointError(
                f"config.json states {key} {value:,}, but its weights are {len(tensors):,} tensors; "
                "correct config.json"
            )
    with torch.device("meta"):
        model = network.from_config(config) if hasattr(network, "from_config") else network(config)
    described = sum(weight.numel() for weight in model.parameters())
    if described > TIMES * stored + SPARE:
        raise CheckpointError(
            f"config.json describes {described:,} weights, but the file has {stored:,}; correct config.json"
        )


def _repeats(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _repeats(value)
        elif LAYERS.search(str(key)):
            numbers = value if isinstance(value, list) else [value]
            yield from ((str(key), number) for number in numbers if isinstance(number, int))
