"""What was fine-tuned in a run, and the verdict on its ranking; nothing is trained here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from hubscan.errors import HubscanError
from hubscan.records import Identity, Training, Tuned, Verdict
from hubscan.rescore import labels_of, rescored
from hubscan.run import Run
from hubscan.verify.verdict import verdict


def of_training(run: Run, training: Training) -> list[Tuned]:
    """Return what was fine-tuned in *run* as *training* says, however long that was allowed to take."""
    wanted = _comparable(training)
    tuned = (result for result in run.verified() if isinstance(result, Tuned))
    return list({t.identity: t for t in tuned if _comparable(t.training) == wanted}.values())


def verdict_of(run: Run, training: Training, probes: Mapping[Identity, float]) -> Verdict:
    """Return the verdict on what was fine-tuned in *run* as *training* says.

    Raises:
        RankingError: if that is fewer than two checkpoints.
    """
    return verdict(run.ranking, of_training(run, training), labels_of(run), probes)


def probes(run: Run) -> dict[Identity, float]:
    """Return the linear probe's score of each checkpoint whose features were kept.

    A probe is cross-validated, which takes seconds a checkpoint: it is computed once, for the verdict.
    """
    try:
        ranking = rescored(run, ["probe"])
    except HubscanError:  # the features are gone, or no probe is defined for these labels
        return {}
    return {entry.scored.identity: entry.scored.scores["probe"].value for entry in reversed(tuple(ranking))}


def _comparable(training: Training) -> tuple[object, ...]:
    """Return what of *training* makes two results comparable: all but how long it may take."""
    return tuple(value for name, value in asdict(training).items() if name != "seconds")
