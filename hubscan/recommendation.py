"""Which checkpoint of a ranking to use: of those that lead, the one whose linear head is right most often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hubscan.records import Ranked, Recommended
from hubscan.records.joined import outcome_of

NUMBERS: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def recommended(entries: Sequence[Ranked], metric: str) -> Recommended | None:
    """Return the entry to use, of *entries* in the order of *metric*; None if none is better than chance.

    Candidates are the first entry and those tied with it. Of these, the one with the highest accuracy is
    recommended, then the one with fewer parameters, then the higher rank; in runs of earlier versions, which
    have no accuracy, the first. Three guards come first: an entry counts only if its whole interval lies
    above the score of shuffled labels; a checkpoint with untrained weights does not count while a trained one
    is among the leaders; and a joined pair, which costs both its parts, counts only if it beats the better
    part.
    """
    eligible = [
        entry for entry in entries if entry.scored.above_chance and not _joined_in_vain(entries, entry)
    ]
    if not eligible:
        return None
    first = eligible[0]
    leaders = [entry for entry in eligible if entry is first or entry.name in first.tied_with]
    trained = [entry for entry in leaders if not entry.scored.untrained]
    leaders = trained or leaders
    name = metric.partition("@")[0]
    known = [entry for entry in leaders if entry.scored.accuracy]
    if not known or len(leaders) == 1:
        return Recommended(leaders[0].rank, f"leads by {name}")
    chosen = min(known, key=lambda entry: (-entry.scored.head_accuracy, entry.scored.parameters, entry.rank))
    return Recommended(chosen.rank, _reason(chosen, leaders, name))


def _joined_in_vain(entries: Sequence[Ranked], entry: Ranked) -> bool:
    joined = outcome_of(entries) if entry.scored.parts else None
    return joined is not None and joined.verdict != "beats"


def _reason(chosen: Ranked, leaders: Sequence[Ranked], metric: str) -> str:
    count = NUMBERS[len(leaders) - 2] if len(leaders) - 2 < len(NUMBERS) else str(len(leaders))
    equals = sum(entry.scored.head_accuracy == chosen.scored.head_accuracy for entry in leaders)
    smallest = ", and the smallest of those" if equals > 1 else ""
    return f"highest accuracy of the {count} that lead by {metric}{smallest}"
