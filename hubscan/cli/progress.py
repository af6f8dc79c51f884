"""A scan's events in; a bar on stderr, and the last event out."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from hubscan.engines import Progress as Stage
from hubscan.records import Scored, Skipped, Tuned
from hubscan.report.accuracy import named
from hubscan.scan import Entered, Plan


def followed(events: Iterable[Any], *, quiet: bool, count: int = 0) -> Any:
    """Show *events* on stderr as they come, and return the last one.

    *count* is how many candidates there are, where no plan says so.
    """
    last = None
    with _Display(quiet, count) as display:
        for event in events:
            display.show(event)
            last = event
    return last


class _Display:
    """On a terminal a bar in all and a line for each running candidate; elsewhere a line for each result."""

    def __init__(self, quiet: bool, count: int) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet, soft_wrap=True, highlight=False)
        self._live = self._console.is_terminal and not quiet
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._all: TaskID | None = None
        self._running: dict[str, TaskID] = {}
        self._done, self._count = 0, count

    def __enter__(self) -> _Display:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, event: object) -> None:
        """Take in one event."""
        match event:
            case Entered(step):
                self._console.print(f"{step} …")
            case Plan():
                self._planned(event)
            case Stage(model, stage, done, rows):
                self._moved(model, stage, done, rows)
            case Scored():
                self._finished(event.candidate.name, _numbers(event))
            case Tuned():
                self._finished(event.candidate.name, f"{event.measure_name} {event.value:.3f}")
            case Skipped(_, _, stage, reason):
                self._finished(event.name, f"skipped at {stage}: {reason}")
            case _:
                return

    def _planned(self, plan: Plan) -> None:
        drawn = plan.lock.draw
        self._count = len(plan.lock.candidates) + plan.recipe.fuse
        self._console.print(
            f"{drawn.rows} rows of {escape(drawn.dataset)}, {len(drawn.classes)} classes; "
            f"{len(plan.lock.candidates)} checkpoints"
        )
        self._all = self._bars.add_task("checkpoints", total=self._count)

    def _moved(self, model: str, stage: str, done: int, rows: int) -> None:
        if model not in self._running:
            self._running[model] = self._bars.add_task("", total=None)
        words = f"{escape(model)}: {stage}"
        self._bars.update(self._running[model], description=words, completed=done, total=rows or None)

    def _finished(self, model: str, words: str) -> None:
        self._done += 1
        if model in self._running:
            self._bars.remove_task(self._running.pop(model))
        if self._all is not None:
            self._bars.update(self._all, completed=self._done)
        self._console.print(f"[{self._done}/{self._count}] {model}: {words}", markup=False)


def _numbers(scored: Scored) -> str:
    """Return the score and the accuracy of a checkpoint, for its line."""
    said = f"{scored.leading.label} {scored.leading.value:.3f}"
    return f"{said}, {named(scored.accuracy)}" if scored.accuracy else said
