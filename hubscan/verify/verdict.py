"""A ranking and what fine-tuning gave in, how far the two agree out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from hubscan.errors import RankingError
from hubscan.records import (
    Agreement,
    Bounded,
    Candidate,
    Identity,
    Ranking,
    Sample,
    Scored,
    Tuned,
    Verdict,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

RESAMPLES: Final = 1_000
LEVEL: Final = (2.5, 97.5)  # per cent: the bounds of an interval


def verdict(
    ranking: Ranking, tuned: Sequence[Tuned], sample: Sample, probes: Mapping[Identity, float] | None = None
) -> Verdict:
    """Return how *ranking*, and lists that one could follow instead, agree with *tuned*.

    Every list is cut down to the checkpoints that were fine-tuned, and left out where it has no number
    for one of them; of a checkpoint with several ranked layers the best one counts. Weighted Kendall is
    that of Vigna (2015) as scipy has it, which gives pairs at the top more weight; it and Pearson's
    correlation are None for two checkpoints, and for a list whose numbers are all the same.

    Intervals (95 %) come from 1,000 bootstrap samples of the held-out rows, or, where rows are words, of
    the sentences that hold them. The samples are the same for every checkpoint. The intervals do not
    cover what other training rows would have given.

    Args:
        ranking: of a run.
        tuned: two or more of its checkpoints, fine-tuned and held out alike.
        sample: the run's.
        probes: the linear probe's score of checkpoints by their identity, where the features were kept.

    Raises:
        RankingError: if there are fewer than two to compare, or they differ in the rows held out or in
            the metric.
    """
    if len(tuned) < 2:
        raise RankingError(f"{len(tuned)} checkpoint fine-tuned: there must be two to compare")
    if len({(result.held, result.measure) for result in tuned}) > 1:
        raise RankingError("the checkpoints were fine-tuned with other rows held out; pass --fresh")
    ordered = sorted(tuned, key=lambda result: (-result.value, result.candidate.name))
    scored = {entry.scored.identity: entry.scored for entry in reversed(tuple(ranking))}
    followed = _lists(ranking, [scored[result.identity] for result in ordered], probes or {})
    resampled = _resampled(ordered, sample)
    return Verdict(
        measure=ordered[0].measure,
        tuned=tuple(ordered),
        values=tuple(
            _bounded(result.value, column) for result, column in zip(ordered, resampled.T, strict=True)
        ),
        agreements=tuple(_agreement(name, list_, ordered, resampled) for name, list_ in followed.items()),
        held=len(ordered[0].held),
    )


def _lists(
    ranking: Ranking, scored: Sequence[Scored], probes: Mapping[Identity, float]
) -> dict[str, Numbers]:
    """Return what one could follow, by name: a number for each checkpoint, higher is better.

    A list that has none for one of them is left out.
    """
    name = scored[0].leading.name
    candidates = [one.candidate for one in scored]
    lists: dict[str, list[float | None]] = {
        ranking.metric: [one.standing.value for one in scored],
        **({} if name == "transrate" else {"transrate": [_transrate(one) for one in scored]}),
        "probe": [probes.get(one.identity) for one in scored],
        "size": [float(one.parameters) for one in scored],
        "downloads": [c.downloads if isinstance(c, Candidate) else None for c in candidates],
    }
    return {name: np.array(values, float) for name, values in lists.items() if None not in values}


def _transrate(scored: Scored) -> float | None:
    score = scored.scores.get("transrate")
    return None if score is None else score.value


def _resampled(tuned: Sequence[Tuned], sample: Sample) -> Numbers:
    """Return (resamples, checkpoints): what each gives on bootstrap samples of the held-out rows."""
    outcomes = np.array([result.outcomes for result in tuned]).T
    held = np.array(tuned[0].held)
    groups = np.arange(len(held)) if sample.groups is None else sample.groups[held]
    _, of_row = np.unique(groups, return_inverse=True)
    count = int(of_row.max()) + 1
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    weights = drawn[:, of_row]
    return np.asarray(weights @ outcomes / weights.sum(1, keepdims=True))


def _agreement(name: str, followed: Numbers, tuned: Sequence[Tuned], resampled: Numbers) -> Agreement:
    from scipy.stats import weightedtau  # a second to import, and most verdicts are read again, not made

    values = np.array([result.value for result in tuned])
    pick = int(followed.argmax())

    def regret(given: Numbers) -> float:
        return float(given.max() - given[pick])

    def kendall(given: Numbers) -> float:
        return float(weightedtau(followed, given).statistic)

    def pearson(given: Numbers) -> float:
        return float(np.corrcoef(followed, given)[0, 1]) if np.ptp(given) else 0.0

    def bounded(of: Callable[[Numbers], float]) -> Bounded:
        return _bounded(of(values), np.array([of(given) for given in resampled]))

    enough = len(tuned) > 2 and np.ptp(followed) > 0
    return Agreement(
        followed=name,
        pick=pick,
        regret=bounded(regret),
        kendall=bounded(kendall) if enough else None,
        pearson=bounded(pearson) if enough else None,
    )


def _bounded(value: float, resampled: Numbers) -> Bounded:
    low, high = np.nanpercentile(resampled, LEVEL)
    return Bounded(value, float(low), float(high))
