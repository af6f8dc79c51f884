"""The answer of a ranking in words: which checkpoint to use, how accurate it is, and what it is tied with."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Final

from hubscan.plain_text import cleaned
from hubscan.records import Candidate, Ranked, Ranking
from hubscan.records.joined import STAGE, outcome
from hubscan.report import accuracy
from hubscan.report.formatting import decimals, factor, magnitude, shown_names, with_interval

CLEARLY: Final = 1.5  # how many times smaller a tied checkpoint must be for its size to be worth naming
NAMED: Final = 3  # tied checkpoints in a sentence
ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
AUTOMODEL: Final = (None, "transformers", "sentence-transformers")  # whose files `AutoModel` reads
VERIFIED: Final = 3  # checkpoints that the next step fine-tunes


def answer(ranking: Ranking) -> str:
    """Return which checkpoint to use, how accurate it is, and what it is tied with."""
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
    ranking = cleaned(ranking)
    chosen = recommended(ranking)
    if chosen is None or ranking.run is None:
        return []
    candidate = chosen.scored.candidate
    enough = sum(not entry.scored.parts for entry in ranking) > 1
    verify = f"hubscan verify {quote(ranking.run)} --top {VERIFIED}"
    steps = [f"Check it by fine-tuning: {verify}"] if enough and ranking.verdict is None else []
    if isinstance(candidate, Candidate):
        steps.append(f"Load it: {_loaded(candidate)}")
    return steps


def _loaded(candidate: Candidate) -> str:
    """Return the Python that loads *candidate*."""
    name = candidate.model
    if candidate.local:
        return f"hubscan.embed({name!r}, inputs)"
    if candidate.library not in AUTOMODEL:
        return f"hubscan.embed({f'{name}@{candidate.revision}'!r}, inputs)"
    return f"AutoModel.from_pretrained({name!r}, revision={candidate.revision!r})"


def _use(ranking: Ranking, chosen: Ranked, names: dict[int, str]) -> list[str]:
    scored = chosen.scored
    license = scored.candidate.license or "licence not stated"
    only = ", the only checkpoint ranked" if len(ranking) == 1 else ""
    size = magnitude(scored.parameters)
    use = f"Use {names[chosen.rank]} ({size} parameters, {license}){only}."
    tuned = _tuned(ranking, chosen)
    if tuned:
        return [use, tuned]
    return [
        use,
        accuracy.sentence(scored.accuracy, ranking.draw) if scored.accuracy else "",
        *_tied(ranking, chosen, names),
        _disagreement(ranking, chosen, names),
        "It is randomly initialised: fine-tuning it means training from scratch." if scored.untrained else "",
    ]


def _tuned(ranking: Ranking, chosen: Ranked) -> str:
    """Return how accurate *chosen* is once fine-tuned, if that is why it is recommended."""
    verdict = ranking.verdict
    if verdict is None or verdict.best.identity != chosen.scored.identity:
        return ""
    value = f"{verdict.measure_name} of {accuracy.value(verdict.measure, verdict.values[0].value)}"
    count = f"the {len(verdict.tuned)} that were fine-tuned"
    return f"Fine-tuned, it has {_article(value)} on {verdict.held:,} test rows, the best of {count}."


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0].lower() in "aeiou" or noun.startswith("R²") else f"a {noun}"


def _no_use(ranking: Ranking, names: dict[int, str]) -> str:
    first, digits = ranking.first, decimals(ranking)
    score = first.scored.leading
    shown = with_interval(score, digits)
    return (
        f"No checkpoint is clearly better than chance on {ranking.draw.dataset}: no interval is "
        f"entirely above the score of shuffled labels. The first, {names[first.rank]}, has {shown}."
    )


def _tied(ranking: Ranking, chosen: Ranked, names: dict[int, str]) -> list[str]:
    """Name the checkpoints that the sample cannot separate from the chosen one, and one that is smaller."""
    tied = [names[entry.rank] for entry in ranking if entry.name in chosen.tied_with]
    if not tied:
        return []
    said = f"This sample cannot tell it apart from {_listed(tied)}"
    smaller = _smaller(ranking, chosen)
    if smaller is None:
        return [f"{said}."]
    other, times = smaller
    if len(tied) == 1:
        return [f"{said}, which is {times} smaller."]
    return [f"{said}.", f"{names[other.rank]} is {times} smaller."]


def _disagreement(ranking: Ranking, chosen: Ranked, names: dict[int, str]) -> str:
    """Say where the score and the accuracy prefer different checkpoints."""
    first, metric = ranking.first, ranking.metric.partition("@")[0]
    if not first.scored.above_chance:
        return f"{names[first.rank]} ranks higher, but its interval includes the score of shuffled labels."
    known = [entry for entry in ranking if entry.scored.accuracy]
    if not known:
        return ""
    best = max(known, key=lambda entry: (entry.scored.head_accuracy, -entry.rank))
    if first is not chosen:
        right = f" ({accuracy.short(first.scored.accuracy)})" if first.scored.accuracy else ""
        said = f"{names[first.rank]} is first by {metric}, but less accurate{right}."
        return said if first.scored.head_accuracy < chosen.scored.head_accuracy else ""
    if best.scored.accuracy is None or best.scored.head_accuracy <= chosen.scored.head_accuracy:
        return ""
    place = ORDINALS[best.rank - 1] if best.rank <= len(ORDINALS) else f"number {best.rank}"
    right = accuracy.short(best.scored.accuracy)
    return (
        f"Score and accuracy disagree: {names[best.rank]}, {place} by {metric}, is more accurate ({right})."
    )


def _joined(ranking: Ranking, chosen: Ranked | None, names: dict[int, str]) -> str:
    """Say how a joined pair compares with the better of its two checkpoints."""
    joined = outcome(ranking)
    if joined is None:
        return ""
    pair = "Together they score" if chosen is joined.entry else f"{names[joined.entry.rank]} together score"
    relation = "higher" if joined.entry.rank < joined.better.rank else "lower"
    if joined.verdict == "tied":
        unsure = "but this sample cannot tell the two apart"
        return f"{pair} {relation} than {names[joined.better.rank]} alone, {unsure}."
    return f"{pair} clearly {relation} than {names[joined.better.rank]} alone."


def _smaller(ranking: Ranking, chosen: Ranked) -> tuple[Ranked, str] | None:
    """Return the smallest checkpoint that is tied with the chosen one and how much smaller, if clearly so."""
    tied = [entry for entry in ranking if entry.name in chosen.tied_with and entry.scored.above_chance]
    other = min(tied, key=lambda entry: entry.scored.parameters, default=None)
    if other is None:
        return None
    times = chosen.scored.parameters / max(other.scored.parameters, 1)
    return (other, factor(times)) if times >= CLEARLY else None


def _skipped(ranking: Ranking) -> str:
    skipped = sum(result.stage != STAGE for result in ranking.skipped)
    ranked = sum(not entry.scored.parts for entry in ranking)
    return (
        f"{skipped} of {skipped + ranked} checkpoints {'was' if skipped == 1 else 'were'} skipped."
        if skipped
        else ""
    )


def _listed(names: Sequence[str]) -> str:
    """Return *names* as a list in words; if there are many, only the first few."""
    shown = list(names) if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
