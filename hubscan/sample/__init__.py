"""A split in, one `Sample` out: seeded, label-safe, the same for every checkpoint.

The only importer of `datasets`.
"""

from __future__ import annotations

from hubscan.sample.draw import draw

__all__ = ["draw"]
