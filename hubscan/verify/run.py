"""Choose the checkpoints of a run to fine-tune, fine-tune them, and yield the verdict on its ranking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from hubscan import disk, engines, run_files
from hubscan.errors import RankingError, RecipeError
from hubscan.finetune.split import split_rows
from hubscan.processes import temporary_folder
from hubscan.records import Candidate, Ranking, Skipped, Training, Tuned, Verdict
from hubscan.run import VERDICT, VERIFIED, Run, require_writable
from hubscan.run_labels import labels_of
from hubscan.run_lock import held
from hubscan.scan import Entered, Event, Plan, prepare
from hubscan.verify.recommended import recommended
from hubscan.verify.results import of_training, verdict_of


def select_candidates(
    ranking: Ranking, top: int, also: int, names: Sequence[str] = (), seed: int = 0
) -> list[Candidate]:
    """Return the checkpoints of *ranking* to fine-tune, from best to worst.

    These are the first *top*, *also* random ones of the others, those in *names*, and the recommended one.
    A checkpoint counts once, however many of its layers are ranked; a joined pair is not fine-tuned.

    Raises:
        RecipeError: if one of *names* is not in the ranking, or fewer than two are chosen.
    """
    candidates = (entry.scored.candidate for entry in ranking)
    ranked = list({c.identity: c for c in candidates if isinstance(c, Candidate)}.values())
    unknown = [name for name in names if name not in {c.model for c in ranked}]
    if unknown:
        raise RecipeError(f"--model {unknown[0]}: not in the ranking of this run")
    left = range(min(top, len(ranked)), len(ranked))
    drawn = set(np.random.default_rng(seed).permutation(list(left))[:also].tolist())
    always = recommended(ranking)
    picked = [
        c
        for place, c in enumerate(ranked)
        if place < top or place in drawn or c.model in names or c.identity == always
    ]
    if len(picked) < 2:
        raise RecipeError(
            f"a comparison needs at least two checkpoints, but the options select {len(picked)}; see --top"
        )
    return picked


def verify(
    run: Run,
    candidates: Sequence[Candidate],
    training: Training,
    *,
    device: str = "auto",
    workers: int = 1,
    fresh: bool = False,
) -> Iterator[Event | Verdict]:
    """Yield each event as it happens, and finally the verdict.

    The rows are drawn again, and must be the same as in the run. Earlier results with the same *training* are
    taken from the run folder, or with *fresh* removed. New ones are written to it at once.

    Raises:
        HubscanError: if the rows cannot be drawn again, fewer than two checkpoints could be fine-tuned, or
            another process holds the run folder.
    """
    require_writable(run.folder)
    with disk.explained(disk.run_folder(run.folder)), held(run.folder):
        for name in (VERIFIED, VERDICT) if fresh else ():
            run_files.remove(run.folder, name)
        yield from _verified(run, candidates, training, device, workers)


def _verified(
    run: Run, candidates: Sequence[Candidate], training: Training, device: str, workers: int
) -> Iterator[Event | Verdict]:
    split_rows(labels_of(run), training.seed)  # raises if there are too few groups, before any work is done
    done = {tuned.identity for tuned in of_training(run, training)}
    left = [c for c in candidates if c.identity not in done]
    for event in _tuned(run, left, training, device, workers) if left else ():
        yield event
        if isinstance(event, Tuned):
            with suppress(RankingError):  # fewer than two so far
                run.keep_verdict(verdict_of(run, training))
    verdict = verdict_of(run, training)
    run.keep_verdict(verdict)
    yield verdict


def _tuned(
    run: Run, candidates: Sequence[Candidate], training: Training, device: str, workers: int
) -> Iterator[Event]:
    recipe = run.recipe.model_copy(
        update={
            "device": device,
            "workers": workers,
            "stall_seconds": training.seconds + run.recipe.stall_seconds,  # one epoch may take all the time
        }
    )
    run.drop_torn_line(VERIFIED)
    with closing(engines.create(recipe)) as engine, temporary_folder() as place:
        plan: Plan | None = None
        for event in prepare(recipe, Path(place), run.lock, engine):
            plan = event if isinstance(event, Plan) else plan
            if isinstance(event, Entered):
                yield event
        assert plan is not None
        job = recipe.job(training=training)
        for result in engine.run(candidates, plan.drawn.file, job):
            if isinstance(result, Tuned | Skipped):
                run.append(result, verifies=True)
            yield result
