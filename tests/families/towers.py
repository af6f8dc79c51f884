"""The dual encoders of images and texts, both towers of which `test_towers.py` holds to transformers."""

from __future__ import annotations

from typing import Final

from hubscan.families import FAMILIES

TWO_TOWERS: Final = sorted(name for name, family in FAMILIES.items() if {*family.towers} == {"image", "text"})
