"""Helpers to run an engine on tiny checkpoints in folders, and to collect its results."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import torch

from hubscan import engines
from hubscan.engines import Progress, Result
from hubscan.feature_store import LocalStore
from hubscan.hub import listing
from hubscan.recipe import Recipe, resolve
from hubscan.records import Candidate, Cost, Query, Sample, Scored
from tests.hub.checkpoints import seeing_bert
from tests.hub.words import sentence
from tests.support import faults
from tests.support.samples import sample


def texts(rows: int) -> Sample:
    """Return a sample of *rows* texts in three classes."""
    labels = [row % 3 for row in range(rows)]
    inputs = tuple(sentence(label, random.Random(row)) for row, label in enumerate(labels))
    drawn = sample(labels)
    draw = replace(drawn.draw, classes={str(label): labels.count(label) for label in range(3)})
    return replace(drawn, draw=draw, inputs={"text": inputs})


def checkpoint(folder: Path, seed: int, fault: str | None = None) -> Candidate:
    """Write a checkpoint with weights that depend on *seed* to *folder*, and return it as a candidate."""
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    seeing_bert(folder)
    if fault:
        faults.put(fault, folder)
    (candidate,) = listing.named([str(folder)], Query(), "text")
    assert isinstance(candidate, Candidate)
    return candidate


@dataclass
class Outcome:
    """The progress and the results that an engine yielded."""

    progress: list[Progress] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    def of(self, candidate: Candidate) -> Result:
        """Return the only result of *candidate*."""
        (found,) = (result for result in self.results if result.identity == candidate.identity)
        return found

    def rows(self, candidate: Candidate, stage: str) -> set[int]:
        """Return the numbers of rows in the progress events of *candidate* in *stage*."""
        events = (event for event in self.progress if (event.model, event.stage) == (candidate.name, stage))
        return {event.rows for event in events if event.rows}


def recipe(engine: str, **keys: Any) -> Recipe:
    """Return a recipe with *engine*, on the CPU unless *keys* say otherwise."""
    return resolve({"engine": engine, "device": "cpu", **keys})


def events(
    engine: str,
    candidates: Sequence[Candidate],
    given: Path | bytes,
    store: LocalStore,
    *,
    limit_seconds: float | None = None,
    **keys: Any,
) -> Iterator[Progress | Result]:
    """Run a new engine and yield its events; *keys* are those of its recipe."""
    asked = recipe(engine, **keys)
    with closing(engines.create(asked, limit_seconds=limit_seconds)) as created:
        created.start()
        yield from created.run(candidates, given, asked.job(store.place))


def outcome(*asked: Any, **keys: Any) -> Outcome:
    """Return everything that `events` yields."""
    found = Outcome()
    for event in events(*asked, **keys):
        if isinstance(event, Progress):
            found.progress.append(event)
        else:
            found.results.append(event)
    return found


def without_cost(result: Result) -> Result:
    """Return *result* without the cost, which differs from run to run."""
    return replace(result, cost=Cost(0, 0, 0, 0)) if isinstance(result, Scored) else result


def processes() -> set[int]:
    """Return the ids of the descendants of this process that are still running."""
    return {child.pid for child in psutil.Process().children(recursive=True)}
