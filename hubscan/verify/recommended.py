"""Find the recommended checkpoint of a ranking among those that can be fine-tuned."""

from __future__ import annotations

from hubscan.records import Candidate, Identity, Ranking


def recommended(ranking: Ranking) -> Identity | None:
    """Return the identity of the recommended checkpoint of *ranking*.

    None if nothing is recommended, or if it is a joined pair, which cannot be fine-tuned.
    """
    candidate = ranking.best.scored.candidate
    return candidate.identity if ranking.recommended and isinstance(candidate, Candidate) else None
