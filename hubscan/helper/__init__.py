"""Let another process do work that this one might not survive: draw a sample, or score stored features."""

from hubscan.helper.parent import Ended, Helper

__all__ = ["Ended", "Helper"]
