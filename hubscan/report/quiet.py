"""A ranking in, the checkpoints' ids out: best first, one a line, for a shell to read."""

from __future__ import annotations

from hubscan.records import Ranking
from hubscan.report.words import plain


def as_ids(ranking: Ranking) -> str:
    """Return the ids from best to worst."""
    return "\n".join(plain(entry.model) for entry in ranking)
