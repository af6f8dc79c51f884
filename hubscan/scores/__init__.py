"""Measures: (features, labels) in, one `Score` out, higher is better. One measure a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hubscan.records import Score
from hubscan.scores.transrate import transrate

SCORES: Final[Mapping[str, Callable[..., Score]]] = {"transrate": transrate}

__all__ = ["SCORES", "transrate"]
