"""A split in, one `Sample` out: seeded, label-safe, the same for every checkpoint.

The only importer of `datasets`.
"""

from __future__ import annotations

from hubscan.sample.draw import OpenSplit, draw, open_dataset

__all__ = ["OpenSplit", "draw", "open_dataset"]
