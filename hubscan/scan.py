"""Run a scan from a recipe to a ranking, and yield events on the way."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hubscan import __version__, disk, engines, fusion, heads, run, run_files, sample_file
from hubscan.drawing.parent import Drawing, Drawn
from hubscan.engines import Engine, Progress, Result
from hubscan.errors import RankingError, RecipeError, RunError
from hubscan.feature_store import FeatureStore, open_store
from hubscan.hub import listing
from hubscan.hub.cached import keep_main
from hubscan.media import audio, images
from hubscan.processes import temporary_folder
from hubscan.recipe import TASKS, Recipe
from hubscan.records import (
    WORD_POOLINGS,
    Candidate,
    Listed,
    Ranking,
    Sample,
    SampleInfo,
    Scored,
    Skipped,
)
from hubscan.records.joined import is_joined
from hubscan.records.sample import is_input
from hubscan.run_lock import held
from hubscan.scorer import Scorer
from hubscan.scores import scoring
from hubscan.secret_text import without_secrets

RECORDED = ("torch", "transformers", "datasets", "huggingface_hub", "accelerate", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scan is going to do."""

    recipe: Recipe
    drawn: Drawn
    lock: run.Lock

    @property
    def sample(self) -> Sample:
        """Return the sample without the inputs, which are only in its file."""
        return self.drawn.sample


@dataclass(frozen=True, slots=True)
class Entered:
    """The scan begins a step that is not about one candidate, such as "drawing the sample"."""

    step: str


Event = Entered | Plan | Progress | Result | Ranking


def scan(
    recipe: Recipe,
    folder: Path,
    *,
    lock: run.Lock | None = None,
    resume: bool = False,
    fresh: bool = False,
    store: FeatureStore | None = None,
) -> Iterator[Event]:
    """Yield the plan, progress, every result, and finally the ranking, each as soon as it is known.

    Metrics, device, run folder, dataset and columns are checked before any checkpoint runs.

    Args:
        recipe: what to scan.
        folder: the run folder.
        lock: of an earlier scan, to repeat it with the same commits and without querying the Hub.
        resume: continue the scan in *folder*: only unfinished candidates run.
        fresh: replace the scan in *folder*.
        store: the feature store; by default that of this machine.

    Raises:
        HubscanError: for anything the user can fix; earlier results are in *folder*.
    """
    run.require_writable(folder)
    with disk.explained(disk.run_folder(folder)), held(folder):
        if not (resume or fresh):
            run.require_free(folder)
        yield from _held_scan(recipe, folder, lock, store or open_store(), resume=resume, fresh=fresh)


def _held_scan(
    recipe: Recipe, folder: Path, lock: run.Lock | None, store: FeatureStore, *, resume: bool, fresh: bool
) -> Iterator[Event]:
    with closing(engines.create(recipe)) as engine, temporary_folder() as place:
        plan: Plan | None = None
        for event in prepare(recipe, Path(place), lock, engine):
            yield event
            plan = event if isinstance(event, Plan) else plan
        assert plan is not None
        opened = run.load_run(folder) if resume else run.create(folder, plan.recipe, plan.lock, fresh=fresh)
        opened.drop_torn_line()
        run_files.write_whole(folder, run.SAMPLE, sample_file.as_bytes(plan.sample, inputs=False))
        with closing(Scorer(opened, store, plan.recipe.scoring_request)) as scorer:
            for result in _results(engine, opened, plan, store):
                if isinstance(result, Scored):
                    scorer.start()
                yield result
            engine.close()
            yield from _ranked(opened, scorer)


def _ranked(opened: run.Run, scorer: Scorer) -> Iterator[Event]:
    """Join the best checkpoints if the recipe says so, and yield the ranking once the heads are stored."""
    if opened.recipe.fuse:
        yield from _joined(opened, scorer)
    ranking = opened.ranking
    for entry in heads.with_heads(ranking):
        scorer.write_head(entry)
    yield ranking


def prepare(
    recipe: Recipe, place: Path, lock: run.Lock | None = None, engine: Engine | None = None
) -> Iterator[Entered | Plan]:
    """Yield the steps up to the plan, and the plan with the sample and the candidates at their commits.

    Args:
        recipe: what to scan.
        place: a folder for the sample's file, which the caller removes.
        lock: of an earlier scan, whose rows must be drawn again.
        engine: started once the dataset and its columns are known; it loads while rows are read.

    Raises:
        HubscanError: if there are no rows to draw or no checkpoints to rank.
    """
    scoring.check(recipe.metrics)
    images.color(recipe.background)
    if lock:
        recipe = recipe.model_copy(update={"revision": _hub_revision(lock.draw)})
    with closing(Drawing(recipe.sample_request, place, recipe.stall_seconds)) as drawing:
        yield Entered("drawing the sample")
        drawing.opened()
        if engine is not None:
            engine.start()
        drawn = drawing.drawn()
    sample = drawn.sample
    _check_readable(sample, recipe)
    recipe = _settled(recipe, sample)
    if lock:
        _same_rows(lock.draw, sample.draw)
        yield Plan(recipe, drawn, lock)
        return
    yield Entered("asking the Hub for checkpoints" if not recipe.models else "resolving the checkpoints")
    candidates, unresolved = gather(recipe)
    if not candidates:
        raise RankingError(_no_candidates(unresolved))
    seen = run.Lock(str(recipe.task), sample.draw, candidates, unresolved, _provenance(recipe))
    yield Plan(recipe, drawn, seen)


def gather(recipe: Recipe) -> tuple[tuple[Candidate, ...], tuple[Skipped, ...]]:
    """Return the candidates that the recipe names or its query finds, and the names that were not found."""
    if not recipe.models:
        rows: list[Listed] = list(listing.search(recipe.query, *recipe.modalities))
        return tuple(row.candidate for row in rows if row.excluded is None), ()
    found = list(listing.named(recipe.models, recipe.query, *recipe.modalities))
    return (
        tuple(f for f in found if isinstance(f, Candidate)),
        tuple(f for f in found if isinstance(f, Skipped)),
    )


def _results(engine: Engine, opened: run.Run, plan: Plan, store: FeatureStore) -> Iterator[Progress | Result]:
    for event in engine.run(opened.unfinished(), plan.drawn.file, plan.recipe.job(store.place)):
        if isinstance(event, Scored | Skipped):
            opened.append(event)
        if isinstance(event, Scored):
            keep_main(event.candidate.model, event.candidate.revision)
        yield event


def _joined(opened: run.Run, scorer: Scorer) -> Iterator[Entered | Scored | Skipped]:
    """Join the best checkpoint of each modality, unless the run folder has the result already."""
    results = opened.results()
    if any(is_joined(result) for result in results):
        return
    yield Entered("joining the best of each modality")
    result = scorer.joined(results)
    opened.append(result)
    yield result


def _check_readable(sample: Sample, recipe: Recipe) -> None:
    """Refuse pooling, prompts and joined pairs that the inputs of *sample* do not allow."""
    if sample.places is not None and recipe.pooling not in ("auto", *WORD_POOLINGS):
        raise RecipeError(
            f"pooling {recipe.pooling}: gives one vector per text, but here every word has a label; "
            f"use auto, {', '.join(WORD_POOLINGS[:-1])} or {WORD_POOLINGS[-1]}"
        )
    if sample.places is not None and recipe.prompt not in ("auto", "none"):
        raise RecipeError("prompt: applies to whole texts, but here every word has a label; leave it out")
    if recipe.fuse and not set(fusion.MODALITIES) <= set(sample.inputs):
        raise RecipeError(
            f"--fuse joins an image and a text checkpoint, but only {', '.join(sample.inputs)} is read from "
            f"{sample.draw.dataset}; name both columns with --input-column, or leave --fuse out"
        )


def _settled(recipe: Recipe, sample: Sample) -> Recipe:
    """Return *recipe* with the task, columns and revision that were inferred, so that it repeats the scan."""
    drawn = sample.draw
    return recipe.model_copy(
        update={
            "task": _task(recipe, sample),
            "dataset": drawn.dataset,
            "config": drawn.config,
            "split": drawn.split,
            "revision": _hub_revision(drawn),
            "input_columns": tuple(c for role, c in drawn.columns.items() if is_input(role)),
            "label_columns": tuple(c for role, c in drawn.columns.items() if _is_label(role)),
            "label_kind": drawn.label_kind,
            "modalities": tuple(sample.inputs),
        }
    )


def _task(recipe: Recipe, sample: Sample) -> str:
    """Return the Hub's task; for an image with a text, that of the recipe, else that of the image."""
    if sample.draw.label_kind == "token":
        return "token-classification"
    if recipe.task and TASKS[recipe.task] in sample.inputs:
        return recipe.task
    return f"{'image' if 'image' in sample.inputs else next(iter(sample.inputs))}-classification"


def _is_label(role: str) -> bool:
    return role.partition("_")[0] == "label"


def _hub_revision(drawn: SampleInfo) -> str | None:
    return None if drawn.local else drawn.revision


def _same_rows(before: SampleInfo, now: SampleInfo) -> None:
    if before.fingerprint != now.fingerprint:
        raise RunError(
            f"the rows differ from those of the locked scan (fingerprint {now.fingerprint[:12]}, "
            f"not {before.fingerprint[:12]}): the data or the recipe has changed; start a new scan"
        )


def _no_candidates(unresolved: tuple[Skipped, ...]) -> str:
    if not unresolved:
        return "the query found no checkpoint; widen it (see `hubscan search`), or name some with --model"
    return "none of the named models was found: " + "; ".join(f"{s.model}: {s.reason}" for s in unresolved)


def _provenance(recipe: Recipe) -> dict[str, Any]:
    from huggingface_hub import constants

    return {
        "hubscan": __version__,
        "seed": recipe.seed,
        "endpoint": without_secrets(constants.ENDPOINT),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in RECORDED}
        | (audio.versions() if "audio" in recipe.modalities else {}),
    }
