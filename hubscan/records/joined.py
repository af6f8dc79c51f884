"""Compare a joined pair with its two checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hubscan.records.candidate import Skipped
from hubscan.records.ranking import Ranked, Ranking
from hubscan.records.score import Scored

STAGE: Final = "fuse"  # where a pair is skipped


@dataclass(frozen=True, slots=True)
class Outcome:
    """A joined pair next to the better of its checkpoints."""

    entry: Ranked
    better: Ranked  # the checkpoint of the pair that ranks higher alone
    verdict: Literal["beats", "tied", "loses"]  # the pair against that checkpoint


def is_joined(result: Scored | Skipped) -> bool:
    """Return whether *result* is that of a joined pair, scored or skipped."""
    return bool(result.parts) if isinstance(result, Scored) else result.stage == STAGE


def outcome(ranking: Ranking) -> Outcome | None:
    """Compare the joined pair of *ranking* with the better of its checkpoints; None without a pair."""
    return outcome_of(ranking.entries)


def outcome_of(entries: Sequence[Ranked]) -> Outcome | None:
    """Do the same for *entries* from best to worst."""
    entry = next((entry for entry in entries if entry.scored.parts), None)
    if entry is None:
        return None
    parts = {part.identity for part in entry.scored.parts}
    better = next(e for e in entries if e.scored.identity in parts)
    if better.name in entry.tied_with:
        return Outcome(entry, better, "tied")
    return Outcome(entry, better, "beats" if entry.rank < better.rank else "loses")
