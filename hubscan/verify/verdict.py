"""Compare a ranking, and other ways of choosing a checkpoint, with fine-tuned accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast, get_args

import numpy as np

from hubscan.errors import RankingError
from hubscan.finetune import held_out
from hubscan.records import (
    AccuracyKind,
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
from hubscan.records.accuracy import NAMES
from hubscan.records.tuned import RECOMMENDED
from hubscan.verify.recommended import recommended

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

RESAMPLES: Final = 1_000
LEVEL: Final = (2.5, 97.5)  # percentiles: the bounds of an interval
LARGEST: Final = 1 << 24  # bootstrap weights in memory at once


def verdict(ranking: Ranking, tuned: Sequence[Tuned], sample: Sample) -> Verdict:
    """Return how *ranking*, and other lists to choose from, agree with the results in *tuned*.

    Every list is restricted to the fine-tuned checkpoints, and left out if it lacks a number for one of
    them. Of a checkpoint with several ranked layers, the best one counts. The recommended checkpoint is a
    list that has only a first place. Weighted Kendall is that of Vigna (2015) as implemented in scipy, where
    pairs at the top weigh more. It and Pearson's correlation are None for two checkpoints, and for a list of
    equal numbers.

    Intervals (95 %) come from 1,000 bootstrap samples of the test rows, or of their groups if there are any,
    the same for every checkpoint. They do not cover the choice of the training rows.

    Args:
        ranking: that of a run.
        tuned: two or more of its checkpoints, fine-tuned with the same train and test rows.
        sample: the sample of the run.

    Raises:
        RankingError: if there are fewer than two results, if they differ in the test rows or the kind of
            accuracy, or if their predictions do not match the sample.
    """
    if len(tuned) < 2:
        raise RankingError(
            f"a comparison needs at least two fine-tuned checkpoints, but this run has {len(tuned)}"
        )
    if len({(result.held, result.measure) for result in tuned}) > 1:
        raise RankingError(
            "the checkpoints were fine-tuned with different test rows or kinds of accuracy; pass --fresh"
        )
    values, starts = _resampled(tuned, sample)
    order = sorted(range(len(tuned)), key=lambda place: (-values[0, place], tuned[place].candidate.name))
    ordered, values, starts = [tuned[place] for place in order], values[:, order], starts[:, order]
    scored = {entry.scored.identity: entry.scored for entry in reversed(tuple(ranking))}
    followed = _lists(ranking, [scored[result.identity] for result in ordered])
    return Verdict(
        measure=ordered[0].measure,
        tuned=tuple(ordered),
        values=tuple(map(_bounded, values.T)),
        agreements=(
            *(_agreement(name, list_, values) for name, list_ in followed.items()),
            *_of_recommended(recommended(ranking), ordered, values),
        ),
        held=len(ordered[0].held),
        heads=tuple(_head(scored[result.identity], result.measure) for result in ordered),
        gains=tuple(map(_bounded, (values - starts).T)),
    )


def _lists(ranking: Ranking, scored: Sequence[Scored]) -> dict[str, Numbers]:
    """Return the lists to choose from by name: one number per checkpoint, higher is better.

    A list that lacks a number for one of them is left out.
    """
    name = scored[0].leading.name
    candidates = [one.candidate for one in scored]
    lists: dict[str, list[float | None]] = {
        ranking.metric: [one.standing.value for one in scored],
        **({} if name == "transrate" else {"transrate": [_transrate(one) for one in scored]}),
        "accuracy": [one.accuracy.value if one.accuracy else None for one in scored],
        "size": [float(one.parameters) for one in scored],
        "downloads": [c.downloads if isinstance(c, Candidate) else None for c in candidates],
    }
    return {name: np.array(values, float) for name, values in lists.items() if None not in values}


def _transrate(scored: Scored) -> float | None:
    score = scored.scores.get("transrate")
    return None if score is None else score.value


def _head(scored: Scored, measure: str) -> float | None:
    """Return the accuracy of the scan's linear head, if it is of the same kind as *measure*."""
    accuracy = scored.accuracy
    return accuracy.value if accuracy and accuracy.kind == measure else None


def _resampled(tuned: Sequence[Tuned], sample: Sample) -> tuple[Numbers, Numbers]:
    """Return the accuracy of each checkpoint on the test rows, after training and before it.

    Before training means: of the head on frozen features, where training starts.

    Returns:
        Two arrays (resamples + 1, checkpoints): first with every row once, then for each bootstrap sample.
        Samples in which a value is not defined, such as R² of equal numbers, are left out.

    Raises:
        RankingError: if the predictions do not match the sample, or their accuracy is not defined.
    """
    held, kind = tuned[0].held, cast("AccuracyKind", tuned[0].measure)
    if kind not in get_args(AccuracyKind):
        raise RankingError(f"fine-tuned with an unknown kind of accuracy, {kind!r}; pass --fresh")
    predictions = [
        *(result.predictions for result in tuned),
        *(result.frozen_predictions for result in tuned),
    ]
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = [
                [held_out.values(one, held, sample, kind, weights) for one in predictions]
                for weights in _weights(held, sample)
            ]
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise RankingError("the fine-tuned predictions do not match the sample; pass --fresh") from error
    found = np.concatenate(drawn, axis=1).T
    defined = np.asarray(np.isfinite(found).all(axis=1))
    if not defined[0]:
        raise RankingError(f"the {NAMES[kind]} of the test rows is not defined; draw more rows")
    return found[defined, : len(tuned)], found[defined, len(tuned) :]


def _weights(held: Sequence[int], sample: Sample) -> Iterator[Numbers]:
    """Yield how often each test row is in a sample, (samples, m): first once, then by bootstrap."""
    yield np.ones((1, len(held)))
    groups = np.arange(len(held)) if sample.groups is None else sample.groups[list(held)]
    _, of_row = np.unique(groups, return_inverse=True)
    count = int(of_row.max()) + 1
    rng = np.random.default_rng(0)
    at_once = max(1, LARGEST // len(sample.labels))
    for first in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - first)
        yield rng.multinomial(count, np.full(count, 1 / count), size=size)[:, of_row].astype(np.float64)


def _of_recommended(wanted: Identity | None, tuned: Sequence[Tuned], values: Numbers) -> Iterator[Agreement]:
    """Yield the regret of following the recommendation, if that checkpoint was fine-tuned."""
    for place, result in enumerate(tuned):
        if result.identity == wanted:
            yield Agreement(RECOMMENDED, place, _regret(values, place), None, None)


def _agreement(name: str, followed: Numbers, values: Numbers) -> Agreement:
    from scipy.stats import weightedtau  # takes a second to import, and most verdicts are read, not computed

    def kendall(given: Numbers) -> float:
        return float(weightedtau(followed, given).statistic)

    def pearson(given: Numbers) -> float:
        return float(np.corrcoef(followed, given)[0, 1]) if np.ptp(given) else 0.0

    def bounded(of: Callable[[Numbers], float]) -> Bounded:
        return _bounded(np.array([of(given) for given in values]))

    pick = int(followed.argmax())
    enough = len(followed) > 2 and np.ptp(followed) > 0
    return Agreement(
        followed=name,
        pick=pick,
        regret=_regret(values, pick),
        kendall=bounded(kendall) if enough else None,
        pearson=bounded(pearson) if enough else None,
    )


def _regret(values: Numbers, pick: int) -> Bounded:
    return _bounded(values.max(axis=1) - values[:, pick])


def _bounded(values: Numbers) -> Bounded:
    """Return the first of *values* with the interval of the others."""
    low, high = np.nanpercentile(values[1:] if len(values) > 1 else values, LEVEL)
    return Bounded(float(values[0]), float(low), float(high))
