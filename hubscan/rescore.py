"""Rank the checkpoints of a run again by other metrics, from stored features; no model runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from hubscan import fusion, ranking
from hubscan.errors import RecipeError
from hubscan.feature_store import FeatureStore, open_store
from hubscan.records import Ranking, Scored
from hubscan.records.joined import is_joined
from hubscan.records.sample import is_input
from hubscan.run import Run
from hubscan.scorer import Scorer
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
    before = [result for result in run.results() if not is_joined(result)]
    request = replace(run.recipe.scoring_request, metrics=tuple(metrics))
    with closing(Scorer(run, store or open_store(), request)) as scorer:
        results = [scorer.scored(one) if isinstance(one, Scored) else one for one in before]
        if fuse or run.recipe.fuse:  # another metric may have other best checkpoints
            results.append(scorer.joined(results))
    return ranking.rank(
        results,
        run.lock.task,
        run.lock.draw,
        each_layer=run.recipe.layers == "each",
        run=str(run.folder),
        provenance=run.lock.provenance,
    )
