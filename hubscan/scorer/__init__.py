"""Score stored features in a process of its own, whose memory is limited."""

from hubscan.scorer.parent import Scorer

__all__ = ["Scorer"]
