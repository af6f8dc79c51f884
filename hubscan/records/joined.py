"""How a joined pair of checkpoints compares with its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hubscan.records.candidate import Skipped
from hubscan.records.ranking import Ranked, Ranking
from hubscan.records.score import Scored

STAGE: Final = "fuse"  # where a pair stopped that could not be joined


@dataclass(frozen=True, slots=True)
class Outcome:
    """What joining two checkpoints gave."""

    entry: Ranked
    better: Ranked  # the part that ranks higher, by itself
    verdict: Literal["beats", "tied", "loses"]  # against that part; tied: the sample supports no order


def is_joined(result: Scored | Skipped) -> bool:
    """Return whether *result* is of a pair, or says why there is none."""
    return bool(result.parts) if isinstance(result, Scored) else result.stage == STAGE


def outcome(ranking: Ranking) -> Outcome | None:
    """Return how the joined pair of *ranking* compares with the better of its parts, if there is a pair."""
    return outcome_of(ranking.entries)


def outcome_of(entries: Sequence[Ranked]) -> Outcome | None:
    """Return the same of *entries*, from best to worst."""
    entry = next((entry for entry in entries if entry.scored.parts), None)
    if entry is None:
        return None
    parts = {part.identity for part in entry.scored.parts}
    better = next(e for e in entries if e.scored.identity in parts)
    if better.name in entry.tied_with:
        return Outcome(entry, better, "tied")
    return Outcome(entry, better, "beats" if entry.rank < better.rank else "loses")
