"""Which checkpoint of a ranking to use: the most accurate of those that lead, or the best fine-tuned one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hubscan.records import Ranked, Recommended, Verdict
from hubscan.records.joined import outcome_of

NUMBERS: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def recommended(entries: Sequence[Ranked], metric: str) -> Recommended | None:
    """Return the entry to use of *entries*, which are in the order of *metric*; None if all are at chance.

    The leaders are the first entry and those tied with it. Among them, the one with the highest accuracy is
    recommended, then the one with fewer parameters, then the one with the higher rank. Runs of earlier
    versions have no accuracy; there it is the first. Three guards come first. An entry counts only if its
    whole interval is above the score of shuffled labels. A randomly initialised checkpoint does not count
    while a pretrained one is among the leaders. A joined pair, which costs as much as both its checkpoints,
    counts only if it beats the better of them.
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


def verified(entries: Sequence[Ranked], verdict: Verdict) -> Recommended | None:
    """Return the best fine-tuned entry; None if its checkpoint is not among *entries*."""
    count = f"{_count(len(verdict.tuned))} that were fine-tuned"
    return next(
        (
            Recommended(entry.rank, f"highest fine-tuned {verdict.measure_name} of the {count}")
            for entry in entries
            if entry.scored.identity == verdict.best.identity
        ),
        None,
    )


def _joined_in_vain(entries: Sequence[Ranked], entry: Ranked) -> bool:
    joined = outcome_of(entries) if entry.scored.parts else None
    return joined is not None and joined.verdict != "beats"


def _reason(chosen: Ranked, leaders: Sequence[Ranked], metric: str) -> str:
    equals = sum(entry.scored.head_accuracy == chosen.scored.head_accuracy for entry in leaders)
    smallest = ", and the smallest of those" if equals > 1 else ""
    return f"highest accuracy of the {_count(len(leaders))} that lead by {metric}{smallest}"


def _count(number: int) -> str:
    """Return a *number* from two on, in words if it is small."""
    return NUMBERS[number - 2] if 2 <= number < len(NUMBERS) + 2 else str(number)
