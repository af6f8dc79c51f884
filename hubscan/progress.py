"""Show the progress of a scan on stderr: time left, rows per second, and a line for each result."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from hubscan.engines import Progress as Stage
from hubscan.hub import rate_limits
from hubscan.plain_text import plain
from hubscan.records import Scored, Skipped, Tuned
from hubscan.report.accuracy import named
from hubscan.report.formatting import speed
from hubscan.scan import Entered, Plan


def followed(events: Iterable[Any], *, quiet: bool, count: int = 0) -> Any:
    """Show *events* on stderr as they come, and return the last one.

    *count* is the number of candidates, if no plan among the events has it.
    """
    last = None
    with _Display(quiet, count) as display:
        for event in events:
            display.show(event)
            last = event
    return last


class TimeLeft:
    """How long a scan still takes, from the share of its candidates that is done."""

    def __init__(self, count: int) -> None:
        """Begin now, with *count* candidates."""
        self._count, self._start = count, time.monotonic()
        self._done = 0.0

    def words(self, done: int, running: Iterable[float]) -> str:
        """Return the time left in words, given the done shares of the *running* candidates; "" at first."""
        self._done = max(self._done, done + sum(running))
        if not self._done or self._done >= self._count:
            return ""
        seconds = (time.monotonic() - self._start) * (self._count / self._done - 1)
        return f"{duration(seconds)} left"


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it.

    >>> [duration(s) for s in (4, 59.6, 750, 8000)]
    ['4 s', '1 min', '12 min', '2.2 h']
    """
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


class _Display:
    """A line for each result; on a terminal also a bar for the scan and one for each running candidate."""

    def __init__(self, quiet: bool, count: int) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet, soft_wrap=True, highlight=False)
        self._live = self._console.is_terminal and not quiet and os.environ.get("TERM") != "dumb"
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._all: TaskID | None = None
        self._running: dict[str, TaskID] = {}
        self._shares: dict[str, float] = {}  # of the rows of each running candidate
        self._done, self._count = 0, count
        self._left = TimeLeft(count)

    def __enter__(self) -> _Display:
        self._bars.start()
        self._waits = rate_limits.heard(self._waited)
        self._waits.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._waits.__exit__(None, None, None)
        self._bars.stop()

    def _waited(self, reason: str, seconds: float) -> None:
        """Say that this process waits; called while it does, so no event can say it."""
        if seconds:
            self._say(f"{reason}: waiting {seconds:.0f} s")

    def show(self, event: object) -> None:
        """Show one event."""
        match event:
            case Entered(step):
                self._say(f"{step[:1].upper()}{step[1:]} …")
            case Plan():
                self._planned(event)
            case Stage(model, stage, done, rows, wait):
                self._moved(model, wait or stage, done, rows)
                if wait and not self._live:
                    self._say(f"{model}: {wait}")
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
        self._left = TimeLeft(self._count)
        classes = f", {len(drawn.classes)} classes" if drawn.classes else ""
        rows = f"{drawn.rows:,} rows of {drawn.dataset}{classes}"
        number = len(plan.lock.candidates)
        self._say(f"{number} checkpoint{'s' if number != 1 else ''}, {rows}")
        self._all = self._bars.add_task("checkpoints", total=self._count, note="")

    def _moved(self, model: str, stage: str, done: int, rows: int) -> None:
        if model not in self._running:
            self._running[model] = self._bars.add_task("", total=None, note="")
        bar = self._running[model]
        if rows:
            self._shares[model] = done / rows
        words = escape(plain(f"{model}: {stage}"))
        self._bars.update(bar, description=words, completed=done, total=rows or None)
        rate = next(task.speed for task in self._bars.tasks if task.id == bar)
        self._bars.update(bar, note=f"{speed(rate)} rows/s" if rows and rate else "")
        self._show_time_left()

    def _finished(self, model: str, words: str) -> None:
        self._done += 1
        self._shares.pop(model, None)
        if model in self._running:
            self._bars.remove_task(self._running.pop(model))
        left = self._show_time_left()
        said = f"[{self._done}/{self._count}] {model}: {words}" + (f" ({left})" if left else "")
        self._say(said)

    def _say(self, line: str) -> None:
        self._console.print(plain(line), markup=False)

    def _show_time_left(self) -> str:
        left = self._left.words(self._done, self._shares.values())
        if self._all is not None:
            self._bars.update(self._all, completed=self._done, note=left)
        return left


def _numbers(scored: Scored) -> str:
    """Return the score, the accuracy and the speed of a checkpoint, for its line."""
    said = [f"{scored.leading.label} {scored.leading.value:.3f}"]
    said += [named(scored.accuracy)] if scored.accuracy else []
    said += ["features from the cache"] if scored.cost.cached else []
    said += ["damaged features in the cache were computed again"] if scored.cost.recomputed else []
    said += [] if scored.cost.cached or scored.parts else [f"{speed(scored.cost.rows_per_second)} rows/s"]
    return ", ".join(said)
