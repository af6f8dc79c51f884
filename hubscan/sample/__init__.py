"""Draw a `Sample` from a split: seeded, with every class in it, and the same for every checkpoint.

No other package imports `datasets`.
"""

from __future__ import annotations

from hubscan.sample.draw import OpenSplit, draw, open_dataset

__all__ = ["OpenSplit", "draw", "open_dataset"]
