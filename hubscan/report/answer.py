"""The answer of a ranking in words: which checkpoint to use, how good it is, and what else to consider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hubscan.records import Candidate, Ranked, Ranking
from hubscan.records.joined import STAGE, outcome
from hubscan.report import accuracy
from hubscan.report.formatting import decimals, factor, magnitude, number, plain, shown_names
from hubscan.report.sentences import NAMES_OF_KIND

CLEARLY: Final = 1.5  # a tied checkpoint is worth naming if it is so many times faster, or smaller
NAMED: Final = 3  # tied checkpoints in a sentence
ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
AUTOMODEL: Final = (None, "transformers", "sentence-transformers")  # libraries whose files `AutoModel` reads
VERIFIED: Final = 3  # checkpoints that the next step fine-tunes


def answer(ranking: Ranking) -> str:
    """Return which checkpoint to use, how often a linear head on it is right, and what is as good."""
    names = dict(zip((entry.rank for entry in ranking), shown_names(ranking), strict=True))
    chosen = recommended(ranking)
    said = [
        *(_use(ranking, chosen, names) if chosen else [_no_use(ranking, names)]),
        _joined(ranking, chosen, names),
        _skipped(ranking),
    ]
    return " ".join(sentence for sentence in said if sentence)


def recommended(ranking: Ranking) -> Ranked | None:
    """Return the recommended entry, if there is one."""
    return ranking.best if ranking.recommended else None


def next_steps(ranking: Ranking) -> list[str]:
    """Return what to do next, one line each: check the ranking, and load the recommended checkpoint."""
    chosen = recommended(ranking)
    if chosen is None or ranking.run is None:
        return []
    candidate = chosen.scored.candidate
    enough = sum(not entry.scored.parts for entry in ranking) > 1
    verify = f"hubscan verify {plain(ranking.run)} --top {VERIFIED}"
    steps = [f"Check it by fine-tuning: {verify}"] if enough and ranking.verdict is None else []
    if isinstance(candidate, Candidate):
        steps.append(f"Load it: {_loaded(candidate)}")
    return steps


def _loaded(candidate: Candidate) -> str:
    """Return the Python that loads *candidate*; `AutoModel` does not read the files of every library."""
    name = plain(candidate.model)
    if candidate.local:
        return f"hubscan.embed({name!r}, inputs)"
    if candidate.library not in AUTOMODEL:
        return f"hubscan.embed({f'{name}@{candidate.revision}'!r}, inputs)"
    return f"AutoModel.from_pretrained({name!r}, revision={candidate.revision!r})"


def _use(ranking: Ranking, chosen: Ranked, names: dict[int, str]) -> list[str]:
    scored = chosen.scored
    license = plain(scored.candidate.license or "licence not stated")
    only = ", the only checkpoint ranked" if len(ranking) == 1 else ""
    size = magnitude(scored.parameters)
    return [
        f"Use {names[chosen.rank]} ({size} parameters, {license}){only}.",
        accuracy.sentence(scored.accuracy, ranking.draw) if scored.accuracy else "",
        *_tied(ranking, chosen, names),
        _disagreement(ranking, chosen, names),
        "Its weights are untrained: fine-tuning it means training from scratch." if scored.untrained else "",
    ]


def _no_use(ranking: Ranking, names: dict[int, str]) -> str:
    first, digits = ranking.first, decimals(ranking)
    score = first.scored.leading
    labels = NAMES_OF_KIND[ranking.draw.label_kind]
    interval = " to ".join(number(bound, digits) for bound in score.interval)
    return (
        f"No checkpoint tells the {labels} of {plain(ranking.draw.dataset)} apart better than shuffled "
        f"labels would: the best, {names[first.rank]}, scores {number(score.value, digits)} ({interval})."
    )


def _tied(ranking: Ranking, chosen: Ranked, names: dict[int, str]) -> list[str]:
    """Name the checkpoints that the sample cannot tell apart from the chosen one, and a cheaper one."""
    tied = [names[entry.rank] for entry in ranking if entry.name in chosen.tied_with]
    if not tied:
        return []
    said = f"This sample cannot tell it apart from {_listed(tied)}"
    cheaper = _cheaper(ranking, chosen)
    if cheaper is None:
        return [f"{said}."]
    other, gain = cheaper
    return (
        [f"{said}, which is {gain}."] if len(tied) == 1 else [f"{said}.", f"{names[other.rank]} is {gain}."]
    )


def _disagreement(ranking: Ranking, chosen: Ranked, names: dict[int, str]) -> str:
    """Say where the score and the accuracy have different winners."""
    first, metric = ranking.first, plain(ranking.metric.partition("@")[0])
    if not first.scored.above_chance:
        return f"{names[first.rank]} ranks higher, but is not surely above what shuffled labels give."
    known = [entry for entry in ranking if entry.scored.accuracy]
    if not known:
        return ""
    best = max(known, key=lambda entry: (entry.scored.head_accuracy, -entry.rank))
    if first is not chosen:
        right = f" ({accuracy.short(first.scored.accuracy)})" if first.scored.accuracy else ""
        said = f"{names[first.rank]} is first by {metric} and tied with it, but less accurate{right}."
        return said if first.scored.head_accuracy < chosen.scored.head_accuracy else ""
    if best.scored.accuracy is None or best.scored.head_accuracy <= chosen.scored.head_accuracy:
        return ""
    place = ORDINALS[best.rank - 1] if best.rank <= len(ORDINALS) else f"number {best.rank}"
    right = accuracy.short(best.scored.accuracy)
    return f"The two numbers disagree: {names[best.rank]}, {place} by {metric}, is more accurate ({right})."


def _joined(ranking: Ranking, chosen: Ranked | None, names: dict[int, str]) -> str:
    """Say how a joined pair compares with the better of its parts."""
    joined = outcome(ranking)
    if joined is None:
        return ""
    pair = "Joined they score" if chosen is joined.entry else f"{names[joined.entry.rank]} joined scores"
    relation = "more" if joined.entry.rank < joined.better.rank else "less"
    where = "but within" if joined.verdict == "tied" else "beyond"
    return f"{pair} {relation} than {names[joined.better.rank]} alone, {where} the interval."


def _cheaper(ranking: Ranking, chosen: Ranked) -> tuple[Ranked, str] | None:
    """Return the fastest checkpoint that is tied with the chosen one, else the smallest, if clearly so."""
    tied = [
        entry
        for entry in ranking
        if entry.name in chosen.tied_with and entry.scored.above_chance and not _same_network(chosen, entry)
    ]
    for gain, words in ((_speedup, "faster"), (_shrinkage, "smaller")):
        other = max(tied, key=lambda entry: gain(chosen, entry), default=None)
        if other and gain(chosen, other) >= CLEARLY:
            return other, f"{factor(gain(chosen, other))} {words}"
    return None


def _same_network(chosen: Ranked, other: Ranked) -> bool:
    """Return whether the two are of one build: a machine that was busy makes no network cheaper."""
    one, two = chosen.scored, other.scored
    return one.width == two.width and abs(one.parameters - two.parameters) <= 0.02 * one.parameters


def _speedup(chosen: Ranked, other: Ranked) -> float:
    before = chosen.scored.cost.rows_per_second
    return other.scored.cost.rows_per_second / before if before > 0 else 0.0


def _shrinkage(chosen: Ranked, other: Ranked) -> float:
    return chosen.scored.parameters / max(other.scored.parameters, 1)


def _skipped(ranking: Ranking) -> str:
    skipped = sum(result.stage != STAGE for result in ranking.skipped)
    ranked = sum(not entry.scored.parts for entry in ranking)
    return f"{skipped} of {skipped + ranked} skipped." if skipped else ""


def _listed(names: Sequence[str]) -> str:
    """Return *names* as a list in words; of many only the first few."""
    shown = list(names) if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
