"""A verdict in; what it says in words and tables, for a terminal and for the card, and JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from hubscan.records import Bounded, Ranking, Tuned, Verdict
from hubscan.report.formatting import plain
from hubscan.report.json_form import verified
from hubscan.report.terminal import plain_table, shown

ORDINALS: Final = ("best", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
Cells = tuple[list[str], list[list[str]], str]
"""Titles, rows, and the titles of columns that are set flush right."""


def as_json(verdict: Verdict) -> str:
    """Return *verdict* as one JSON object, in ASCII."""
    return json.dumps(verified(verdict), indent=2, allow_nan=False)


def as_text(verdict: Verdict, ranking: Ranking) -> str:
    """Return the verdict in words, and both tables, for a terminal."""
    return shown(as_parts(verdict, ranking))


def as_parts(verdict: Verdict, ranking: Ranking) -> list[RenderableType]:
    """Return the words and the tables, for rich to show."""
    return [
        Text(" ".join(said(verdict)), style="bold"),
        "",
        plain_table(*tuned_table(verdict, ranking)),
        "",
        plain_table(*lists_table(verdict)),
    ]


def said(verdict: Verdict) -> list[str]:
    """Return what it comes to, one sentence each: the verdict, what it rests on, what to mistrust."""
    return [_judged(verdict), *_unsettled(verdict), *_worse(verdict)]


def tuned_table(verdict: Verdict, ranking: Ranking) -> Cells:
    """Return one line for each checkpoint that was fine-tuned, from the best to the worst."""
    ranks = {e.scored.identity: e.rank for e in reversed(tuple(ranking))}
    titles = ["", "model", f"{verdict.measure} [95 %]", "frozen", "rank here", "rate", "epochs", "minutes"]
    rows = [
        [
            str(place),
            plain(tuned.candidate.name),
            _interval(value, _number),
            _number(tuned.start),
            str(ranks.get(tuned.identity, "")),
            "frozen" if tuned.rate is None else f"{tuned.rate:g}",
            f"{tuned.epochs}" if tuned.settled else f"{tuned.epochs}, not settled",
            f"{tuned.seconds / 60:.1f}",
        ]
        for place, (tuned, value) in enumerate(zip(verdict.tuned, verdict.values, strict=True), start=1)
    ]
    return titles, rows, "frozen rate epochs minutes"


def lists_table(verdict: Verdict) -> Cells:
    """Return one line for each list that one could have followed."""
    titles = ["followed", "its pick", f"regret, {_unit(verdict)}", "weighted Kendall", "Pearson"]
    rows = [
        [
            plain(agreement.followed),
            plain(verdict.tuned[agreement.pick].candidate.name),
            _interval(agreement.regret, _lost(verdict)),
            _interval(agreement.kendall, _number),
            _interval(agreement.pearson, _number),
        ]
        for agreement in verdict.agreements
    ]
    return titles, rows, ""


def _judged(verdict: Verdict) -> str:
    picked, best = verdict.picked, verdict.best
    place, count = verdict.tuned.index(picked), len(verdict.tuned)
    rows = f"{verdict.measure} {_number(picked.value)} on {verdict.held:,} held-out rows"
    of = f"of the {count} fine-tuned ({rows})"
    first = f"The first of the ranking, {plain(picked.candidate.model)}, is the"
    regret = verdict.agreements[0].regret
    if regret.value <= 0:
        return f"{first} best {of}: following it costs nothing."
    ordinal = ORDINALS[place] if place < len(ORDINALS) else f"{place + 1}th"
    lost = _lost(verdict)
    unsure = ", which other held-out rows might undo" if regret.low <= 0 else ""
    return (
        f"{first} {ordinal} {of}: following it costs {lost(regret.value)} {_unit(verdict)} "
        f"[{lost(regret.low)}, {lost(regret.high)}] against {plain(best.candidate.name)}{unsure}."
    )


def _unsettled(verdict: Verdict) -> list[str]:
    names = [plain(tuned.candidate.name) for tuned in verdict.tuned if not tuned.settled]
    if not names:
        return []
    were, their = ("was", "its") if len(names) == 1 else ("were", "their")
    return [
        f"{', '.join(names)} {were} still getting better when {their} time or epochs ran out: "
        "see --time-budget."
    ]


def _worse(verdict: Verdict) -> list[str]:
    """Name what came out clearly worse than the head that it began with: a fault of the recipe."""
    names = [plain(tuned.candidate.name) for tuned in verdict.tuned if _spoilt(tuned)]
    if not names:
        return []
    their = "its" if len(names) == 1 else "their"
    return [f"Fine-tuning made {', '.join(names)} worse than {their} frozen features."]


def _spoilt(tuned: Tuned) -> bool:
    differences = [after - before for after, before in zip(tuned.outcomes, tuned.frozen, strict=True)]
    n, mean = len(differences), sum(differences) / len(differences)
    variance = sum((difference - mean) ** 2 for difference in differences) / max(n - 1, 1)
    return bool(mean < -2 * (variance / n) ** 0.5)


def _unit(verdict: Verdict) -> str:
    return "points" if verdict.measure == "accuracy" else f"of {verdict.measure}"


def _lost(verdict: Verdict) -> Callable[[float], str]:
    return _points if verdict.measure == "accuracy" else _number


def _points(value: float) -> str:
    return f"{100 * value:z.1f}"


def _number(value: float) -> str:
    return f"{value:z.3f}"


def _interval(bounded: Bounded | None, number: Callable[[float], str]) -> str:
    if bounded is None:
        return ""
    return f"{number(bounded.value)} [{number(bounded.low)}, {number(bounded.high)}]"
