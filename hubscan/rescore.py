"""Rank the checkpoints of a run again by other metrics, from stored features; no model runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hubscan import fusion, ranking, run_files, sample_file
from hubscan.errors import RecipeError, RunError
from hubscan.feature_store import DamagedFeatures, FeatureStore, kept_features, open_store
from hubscan.records import Candidate, Ranking, Sample, Scored, ScoringRequest, Skipped
from hubscan.records.joined import is_joined
from hubscan.records.sample import is_input
from hubscan.run import RECIPE, SAMPLE, Run
from hubscan.scores import scoring


def rescored(
    run: Run, metrics: Sequence[str], *, fuse: bool = False, store: FeatureStore | None = None
) -> Ranking:
    """Return the ranking of *run* by the first of *metrics*, with the scores of the others.

    The features come from *store*, by default the feature store of this machine. A checkpoint without
    features there is skipped, and the reason names the command that recomputes them. With *fuse*, or if the
    scan did so, the best checkpoints of the two modalities are joined too.

    Raises:
        RecipeError: if a metric is unknown, or there is nothing to join.
        RunError: if the run folder does not contain its sample.
        RankingError: if no checkpoint could be scored.
    """
    scoring.check(metrics)
    if fuse and not set(fusion.MODALITIES) <= set(run.lock.draw.columns):
        raise RecipeError(
            f"--fuse joins an image and a text checkpoint, but the run in {run.folder} used only the columns "
            f"{', '.join(filter(is_input, run.lock.draw.columns))}; leave out --fuse"
        )
    sample, store = labels_of(run), store or open_store()
    request = replace(run.recipe.scoring_request, metrics=tuple(metrics))
    results = [
        _again(result, request, sample, store, run) if isinstance(result, Scored) else result
        for result in run.results()
        if not is_joined(result)
    ]
    if fuse or run.recipe.fuse:  # another metric may have other best checkpoints
        results.append(fusion.joined(results, sample, request, store))
    return ranking.rank(
        results,
        run.lock.task,
        run.lock.draw,
        each_layer=run.recipe.layers == "each",
        run=str(run.folder),
        provenance=run.lock.provenance,
    )


def labels_of(run: Run) -> Sample:
    """Return the sample of *run* without its inputs.

    Raises:
        RunError: if the run folder does not contain it, or contains another one.
    """
    again = "scan again with --fresh"
    try:
        with run_files.opened(run.folder, SAMPLE) as file:
            sample = sample_file.read(file, rows=run.lock.draw.rows)
    except FileNotFoundError as error:
        raise RunError(f"{run.folder}: {SAMPLE} is missing, and with it the labels; {again}") from error
    except sample_file.Damaged as error:
        raise RunError(f"{run.folder / SAMPLE}: damaged ({error}); {again}") from error
    if sample.draw.fingerprint != run.lock.draw.fingerprint:
        raise RunError(f"{run.folder / SAMPLE}: not the sample of this run; {again}")
    return sample


def _again(
    scored: Scored, request: ScoringRequest, sample: Sample, store: FeatureStore, run: Run
) -> Scored | Skipped:
    assert isinstance(scored.candidate, Candidate), "a joined pair"
    again = f"hubscan rank --recipe {run.folder / RECIPE} recomputes them"
    try:
        features = kept_features(scored, sample, store)
        if features is None:
            raise ValueError(f"its features are no longer in the cache; {again}")
        found = scoring.by_layer(features, sample, request)
    except DamagedFeatures:
        return Skipped.of(scored.candidate, "score", f"its stored features were damaged; {again}")
    except ValueError as error:
        return Skipped.of(scored.candidate, "score", str(error))
    return replace(scored, **scoring.layer_fields(found, request.layers))
