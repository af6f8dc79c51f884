"""A run folder in, what fine-tuning said of its ranking out: read back, nothing is trained."""

from __future__ import annotations

from dataclasses import asdict, replace

from hubscan.errors import HubscanError, RankingError
from hubscan.records import Candidate, Ranking, Training, Tuned, Verdict
from hubscan.rescore import labels_of, rescored
from hubscan.run import Run
from hubscan.verify.verdict import key, verdict


def of_training(run: Run, training: Training) -> list[Tuned]:
    """Return what was fine-tuned in *run* as *training* says, however long that was allowed to take."""
    wanted = _recipe(training)
    found = (one for one in run.verified() if isinstance(one, Tuned))
    return list({identity(one.candidate): one for one in found if _recipe(one.training) == wanted}.values())


def verdict_of(run: Run, training: Training | None = None) -> Verdict:
    """Return the verdict on what was fine-tuned in *run* as *training* says, or as it was last.

    Raises:
        RankingError: if that is fewer than two checkpoints.
    """
    if training is None:
        found = [one for one in run.verified() if isinstance(one, Tuned)]
        if not found:
            raise RankingError(f"{run.folder}: nothing was fine-tuned yet; see `hubscan verify`")
        training = found[-1].training
    return verdict(run.ranking, of_training(run, training), labels_of(run), _probes(run))


def with_verdict(run: Run) -> Ranking:
    """Return the ranking of *run*, and with it the verdict if there is one.

    Raises:
        RankingError: if nothing was scored.
    """
    ranking = run.ranking
    try:
        return replace(ranking, verdict=verdict_of(run))
    except RankingError:  # fewer than two were fine-tuned
        return ranking


def _probes(run: Run) -> dict[str, float]:
    """Return the linear probe's score of each checkpoint whose features were kept."""
    try:
        ranking = rescored(run, ["probe"])
    except HubscanError:  # the features are gone, or no probe is defined for these labels
        return {}
    return {key(e.scored): e.scored.scores["probe"].value for e in reversed(tuple(ranking))}


def _recipe(training: Training) -> tuple[object, ...]:
    """Return what of *training* makes two results comparable: all but how long it may take."""
    return tuple(value for name, value in asdict(training).items() if name != "seconds")


def identity(candidate: Candidate) -> tuple[str, str, str]:
    """Return what tells *candidate* from the others of its run."""
    return candidate.model, candidate.revision, candidate.modality
