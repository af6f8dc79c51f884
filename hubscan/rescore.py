"""A run and names of measures in, the ranking by these out: features come from the cache, no model runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hubscan import cache, fusion, ranking, sample_file
from hubscan.errors import RecipeError, RunError
from hubscan.records import Candidate, Ranking, Sample, Scored, Skipped
from hubscan.records.joined import is_joined
from hubscan.run import SAMPLE, Run
from hubscan.scores import scoring


def rescored(run: Run, metrics: Sequence[str], *, fuse: bool = False) -> Ranking:
    """Return the ranking of *run* by the first of *metrics*, the others beside it.

    A checkpoint whose features are no longer in the cache is skipped, with a word on how to have
    them again. With *fuse*, or where the scan did so, the best of each modality are joined too.

    Raises:
        RecipeError: if a measure is unknown, or there is nothing to join.
        RunError: if the run folder has lost its sample.
        RankingError: if nothing could be scored.
    """
    scoring.check(metrics)
    if fuse and not set(fusion.MODALITIES) <= set(run.lock.draw.columns):
        raise RecipeError(
            f"--fuse joins an image and a text encoder, but {run.folder} has read only "
            f"{', '.join(m for m in run.lock.draw.columns if not m.startswith('label'))}; leave --fuse out"
        )
    sample = labels_of(run)
    results = [
        _again(result, metrics, sample, run) if isinstance(result, Scored) else result
        for result in run.results()
        if not is_joined(result)
    ]
    if fuse or run.recipe.fuse:  # by another measure the best of each modality may be others
        results.append(fusion.joined(results, sample.labels, metrics, run.recipe.seed))
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
        RunError: if the run folder has lost it.
    """
    file = run.folder / SAMPLE
    if not file.exists():
        raise RunError(f"{run.folder}: {SAMPLE} is missing, so the labels are not known")
    return sample_file.read(file)


def _again(scored: Scored, metrics: Sequence[str], sample: Sample, run: Run) -> Scored | Skipped:
    features = cache.load(scored.features) if scored.features else None
    assert isinstance(scored.candidate, Candidate), "pairs are joined anew"
    if features is None:
        again = f"hubscan rank --recipe {run.folder / 'recipe.yaml'}"
        return Skipped.of(
            scored.candidate, "score", f"its features are no longer in the cache; {again} makes them"
        )
    try:
        layers = scoring.by_layer(features, sample.labels, metrics, run.recipe.seed, sample.groups)
    except ValueError as error:
        return Skipped.of(scored.candidate, "score", str(error))
    return replace(scored, **scoring.layer_fields(layers, run.recipe.layers))
