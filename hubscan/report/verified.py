"""The outcome of `hubscan verify` in words, tables and JSON, for a terminal and for the card."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hubscan.plain_text import cleaned
from hubscan.records import Bounded, Ranking, Tuned, Verdict
from hubscan.records.tuned import RECOMMENDED
from hubscan.report.answer import answer
from hubscan.report.formatting import wrapped
from hubscan.report.json_form import verified
from hubscan.report.terminal import plain_table, shown

ORDINALS: Final = ("best", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
TUNED_NAME: Final = 16  # characters of a name on one line of the first table at 80 columns
LISTS_NAME: Final = 26  # the same for the second table
TRAINED: Final = ("rate", "epochs", "min")
Cells = tuple[list[str], list[list[str]], str]
"""Titles, rows, and the titles of columns that are set flush right."""


def as_json(verdict: Verdict) -> str:
    """Return *verdict* as one JSON object, in ASCII."""
    return json.dumps(verified(verdict), indent=2, allow_nan=False)


def as_text(verdict: Verdict, ranking: Ranking) -> str:
    """Return which checkpoint to use, the verdict in words and both tables, for a terminal."""
    verdict, ranking = cleaned(verdict), cleaned(ranking)
    return shown([Text(answer(ranking), style="bold"), "", *as_parts(verdict, ranking)])


def as_parts(verdict: Verdict, ranking: Ranking) -> list[RenderableType]:
    """Return the words and the tables, for rich to show."""
    return [
        Text(" ".join(said(verdict))),
        "",
        _narrow(tuned_table(verdict, ranking), TUNED_NAME),
        Text(legend(verdict)),
        "",
        _narrow(_without_last(lists_table(verdict)), LISTS_NAME),
    ]


def _narrow(cells: Cells, room: int) -> Table:
    """Return a table in which only the names of models wrap, on lines of *room* characters."""
    titles, rows, right = cells
    table = plain_table(titles, [[row[0], wrapped(row[1], room), *row[2:]] for row in rows], right)
    for column in table.columns[2:]:
        column.no_wrap = True
    return table


def _without_last(cells: Cells) -> Cells:
    """Return a table without its last column, for which a terminal has no room; cards and JSON have it."""
    titles, rows, right = cells
    return titles[:-1], [row[:-1] for row in rows], right


def said(verdict: Verdict) -> list[str]:
    """Return the verdict and what to know before trusting it, one sentence each."""
    return [_judged(verdict), *_unsettled(verdict), *_worse(verdict)]


def tuned_table(verdict: Verdict, ranking: Ranking) -> Cells:
    """Return one line for each checkpoint that was fine-tuned, from the best to the worst.

    The columns show the fine-tuned accuracy, that of the scan's linear head, and the difference. Old runs
    have no such head; there, the accuracy before training is shown.
    """
    ranks = {e.scored.identity: e.rank for e in reversed(tuple(ranking))}
    titles, beside = _beside(verdict)
    titles = ["", "model", "fine-tuned [95 %]", *titles, "rank", *TRAINED]
    rows = [
        [
            str(place),
            tuned.candidate.name,
            _interval(value, _number),
            *cells,
            str(ranks.get(tuned.identity, "")),
            "none" if tuned.rate is None else f"{tuned.rate:g}",
            f"{tuned.epochs}" if tuned.settled else f"{tuned.epochs}+",
            f"{tuned.seconds / 60:.1f}",
        ]
        for place, (tuned, value, cells) in enumerate(
            zip(verdict.tuned, verdict.values, beside, strict=True), start=1
        )
    ]
    return titles, rows, " ".join(TRAINED)


def legend(verdict: Verdict) -> str:
    """Return what the columns of `tuned_table` mean."""
    said = [f"fine-tuned: {verdict.measure_name} on {verdict.held:,} test rows"]
    if _heads_known(verdict):
        said += [
            "head: the same for the linear head of the scan, on rows that it was not fitted to",
            f"added: fine-tuned minus head, in {_unit(verdict)}",
        ]
    else:
        said += ["before: the same for the linear head that training started from"]
    if not all(tuned.settled for tuned in verdict.tuned):
        said += ["+: was still improving"]
    return f"{'; '.join(said)}."


def _heads_known(verdict: Verdict) -> bool:
    return any(head is not None for head in verdict.heads)


def _beside(verdict: Verdict) -> tuple[list[str], list[list[str]]]:
    """Return the titles and cells of the columns next to the fine-tuned accuracy."""
    if not _heads_known(verdict):
        return ["before"], [[_number(tuned.start)] for tuned in verdict.tuned]
    return ["head", "added"], [
        ["", ""] if head is None else [_number(head), _signed(_lost(verdict)(value.value - head))]
        for head, value in zip(verdict.heads, verdict.values, strict=True)
    ]


def lists_table(verdict: Verdict) -> Cells:
    """Return one line for each way of choosing a checkpoint."""
    titles = ["chosen by", "choice", f"regret, {_unit(verdict)}", "weighted Kendall", "Pearson"]
    rows = [
        [
            agreement.followed,
            verdict.tuned[agreement.pick].candidate.name,
            _interval(agreement.regret, _lost(verdict)),
            _interval(agreement.kendall, _correlation),
            _interval(agreement.pearson, _correlation),
        ]
        for agreement in verdict.agreements
    ]
    return titles, rows, ""


def _judged(verdict: Verdict) -> str:
    picked, best, regret = verdict.picked, verdict.best, verdict.advice.regret
    place, count = verdict.tuned.index(picked), len(verdict.tuned)
    rows = f"{verdict.measure_name} {_number(verdict.values[place].value)} on {verdict.held:,} test rows"
    of = f"of the {count} fine-tuned ({rows})"
    which = (
        "checkpoint that the scan recommended"
        if verdict.advice.followed == RECOMMENDED
        else "first of the ranking"
    )
    start = f"The {which}, {picked.candidate.model}, is the"
    if regret.value <= 0:
        return f"{start} best {of}."
    ordinal = ORDINALS[place] if place < len(ORDINALS) else f"{place + 1}th"
    lost = _lost(verdict)
    unsure = " Other test rows might reverse this." if regret.low <= 0 else ""
    return (
        f"{start} {ordinal} {of}, {lost(regret.value)} {_unit(verdict)} "
        f"[{lost(regret.low)}, {lost(regret.high)}] behind {best.candidate.name}.{unsure}"
    )


def _unsettled(verdict: Verdict) -> list[str]:
    names = [tuned.candidate.name for tuned in verdict.tuned if not tuned.settled]
    if not names:
        return []
    were = "was" if len(names) == 1 else "were"
    return [
        f"{', '.join(names)} {were} still improving when the time or the epochs ran out; "
        "raise --time-per-checkpoint."
    ]


def _worse(verdict: Verdict) -> list[str]:
    """Name the checkpoints that training made clearly worse: a fault of the training settings."""
    worse = [gain.high < 0 for gain in verdict.gains] if verdict.gains else map(_clearly_worse, verdict.tuned)
    names = [tuned.candidate.name for tuned, is_ in zip(verdict.tuned, worse, strict=True) if is_]
    if not names:
        return []
    their = "its" if len(names) == 1 else "their"
    return [f"Fine-tuning made {', '.join(names)} worse than {their} frozen features."]


def _clearly_worse(old: Tuned) -> bool:
    """Return whether an *old* result is two standard errors worse than before training."""
    differences = [after - before for after, before in zip(old.outcomes, old.frozen, strict=True)]
    n, mean = len(differences), old.value - old.start
    variance = sum((difference - mean) ** 2 for difference in differences) / max(n - 1, 1)
    return bool(mean < -2 * (variance / max(n, 1)) ** 0.5)


def _in_points(verdict: Verdict) -> bool:
    return verdict.measure in ("accuracy", "balanced_accuracy")


def _unit(verdict: Verdict) -> str:
    return "points" if _in_points(verdict) else verdict.measure_name


def _lost(verdict: Verdict) -> Callable[[float], str]:
    return _points if _in_points(verdict) else _number


def _points(value: float) -> str:
    return f"{100 * value:z.1f}"


def _number(value: float) -> str:
    return f"{value:z.3f}"


def _correlation(value: float) -> str:
    return f"{value:z.2f}"


def _signed(number: str) -> str:
    return number if number.startswith("-") else f"+{number}"


def _interval(bounded: Bounded | None, number: Callable[[float], str]) -> str:
    if bounded is None:
        return ""
    return f"{number(bounded.value)} [{number(bounded.low)}, {number(bounded.high)}]"
