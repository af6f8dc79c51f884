"""The ids of the ranked checkpoints, best first, one per line, for a shell."""

from __future__ import annotations

from hubscan.records import Ranking
from hubscan.report.formatting import plain


def as_ids(ranking: Ranking) -> str:
    """Return the ids from best to worst, without joined pairs, which have no id."""
    return "\n".join(plain(entry.model) for entry in ranking if not entry.scored.parts)
