"""The ids of the ranked checkpoints, best first, one per line, for a shell."""

from __future__ import annotations

from hubscan.plain_text import cleaned
from hubscan.records import Ranking


def as_ids(ranking: Ranking) -> str:
    """Return the ids from best to worst, without joined pairs, which have no id."""
    return "\n".join(entry.model for entry in cleaned(ranking) if not entry.scored.parts)
