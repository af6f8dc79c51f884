"""Read the fine-tuned checkpoints of a run, and compute the verdict on its ranking, without training."""

from __future__ import annotations

from dataclasses import asdict

from hubscan.records import Training, Tuned, Verdict
from hubscan.run import Run
from hubscan.run_labels import labels_of
from hubscan.verify.verdict import verdict


def of_training(run: Run, training: Training) -> list[Tuned]:
    """Return the results of *run* with the same *training*, whatever their time budget.

    Results without predictions, which older versions wrote, are left out: their accuracy is not comparable.
    """
    wanted = _comparable(training)
    tuned = (result for result in run.verified() if isinstance(result, Tuned) and result.predictions)
    return list({t.identity: t for t in tuned if _comparable(t.training) == wanted}.values())


def verdict_of(run: Run, training: Training) -> Verdict:
    """Return the verdict on the ranking of *run*, from the results with the same *training*.

    Raises:
        RankingError: if there are fewer than two.
    """
    return verdict(run.scanned, of_training(run, training), labels_of(run))


def _comparable(training: Training) -> tuple[object, ...]:
    """Return the values of *training* that comparable results share: all but the time budget."""
    return tuple(value for name, value in asdict(training).items() if name != "seconds")
