"""What was fine-tuned in a run, and the verdict on its ranking; nothing is trained here."""

from __future__ import annotations

from dataclasses import asdict

from hubscan.records import Training, Tuned, Verdict
from hubscan.rescore import labels_of
from hubscan.run import Run
from hubscan.verify.verdict import verdict


def of_training(run: Run, training: Training) -> list[Tuned]:
    """Return what was fine-tuned in *run* as *training* says, however long that was allowed to take.

    Results without predictions, which older versions wrote, do not count: their measure was another.
    """
    wanted = _comparable(training)
    tuned = (result for result in run.verified() if isinstance(result, Tuned) and result.predictions)
    return list({t.identity: t for t in tuned if _comparable(t.training) == wanted}.values())


def verdict_of(run: Run, training: Training) -> Verdict:
    """Return the verdict on what was fine-tuned in *run* as *training* says.

    Raises:
        RankingError: if that is fewer than two checkpoints.
    """
    return verdict(run.scanned, of_training(run, training), labels_of(run))


def _comparable(training: Training) -> tuple[object, ...]:
    """Return what of *training* makes two results comparable: all but how long it may take."""
    return tuple(value for name, value in asdict(training).items() if name != "seconds")
