"""A ranking in, its answer and its sample in words out: one line each, no markup."""

from __future__ import annotations

from hubscan.records import Ranked, Ranking, SampleInfo
from hubscan.records.joined import STAGE, outcome
from hubscan.report.formatting import (
    byte_count,
    decimals,
    factor,
    magnitude,
    number,
    others,
    plain,
    short,
    shown_names,
)

CLEARLY = 1.5  # a tied checkpoint is worth naming if it is so many times faster, or smaller
FEW_CLASSES = 6
NAMES_OF_KIND = {"class": "classes", "multilabel": "labels", "token": "tags", "number": "numbers"}
TRANSRATE = "nats that the labels tell beyond chance"
LEGENDS = {
    "transfer": (
        "nats a row that features hold for the labels, between what so many rows can use and what is there; "
        "null: of shuffled labels"
    ),
    "evidence": (
        "nats a row that features save in coding the labels, less their price; null: of shuffled labels"
    ),
    "transrate": f"{TRANSRATE}; null: what shuffled labels give of raw, the paper's number",
}
OTHERWISE = "higher is better; null: what shuffled labels give"
ROUNDING = 1e-6  # nats; constant features score 1e-16, which is no more than zero


def answer(ranking: Ranking) -> str:
    """Return which checkpoint to use, what is as good and cheaper, and how many were skipped."""
    names = dict(zip((entry.rank for entry in ranking), shown_names(ranking), strict=True))
    chosen = recommended(ranking)
    said = [
        _recommended(ranking, chosen, names),
        _cheaper(ranking, chosen, names),
        _joined(ranking, chosen, names),
        _untrained(chosen),
        _skipped(ranking),
    ]
    return " ".join(sentence for sentence in said if sentence)


def recommended(ranking: Ranking) -> Ranked | None:
    """Return the best checkpoint that surely beats shuffled labels, if there is one.

    A joined pair costs both its parts, so it must surely beat the better one, too.
    """
    return next((e for e in ranking if beats_shuffled(e) and not _joined_in_vain(ranking, e)), None)


def beats_shuffled(entry: Ranked) -> bool:
    """Return whether the whole interval lies above what shuffled labels give."""
    score = entry.scored.leading
    return score.interval[0] > score.chance + ROUNDING


def sample(ranking: Ranking) -> str:
    """Return what was drawn, from where, and what was left out."""
    draw = ranking.draw
    drawn = f"{draw.rows:,}{' words' if draw.label_kind == 'token' else ''}"
    parts = [
        f"{plain(draw.dataset)}@{short(draw.revision)}",
        *([plain(draw.config)] if draw.config else []),
        f"split {plain(draw.split)}: {drawn} of the {draw.rows_seen:,} rows seen",
        classes(draw),
        f"seed {draw.seed}",
    ]
    read = f"{byte_count(draw.bytes_read)} read"
    groups = (
        f"{read} from {draw.groups_read:,} of {draw.groups:,} row groups" if draw.block_rows > 1 else read
    )
    return ". ".join(["; ".join([", ".join(parts), dropped(draw), groups]), *draw_notes(draw)])


def draw_notes(draw: SampleInfo) -> list[str]:
    """Return what to know of how the rows came, one sentence each without its full stop."""
    what = "sentences" if draw.label_kind == "token" else "rows"
    twice = (
        f"{draw.duplicates:,} of the {what} copy others exactly, which makes a ranking look surer than it is"
    )
    notes = [*([twice] if draw.duplicates else []), *draw.notes]
    return [plain(note[:1].upper() + note[1:]) for note in notes]


def classes(draw: SampleInfo) -> str:
    """Return the classes with their rows, or when they are many their number and range."""
    counts = draw.classes
    if draw.label_kind == "number":
        return f"numbers of {plain(draw.columns.get('label', 'a column'))}"
    what = NAMES_OF_KIND[draw.label_kind]
    if len(counts) <= FEW_CLASSES:
        return f"{what} " + ", ".join(f"{plain(name)} {rows:,}" for name, rows in counts.items())
    fewest, most = min(counts.values()), max(counts.values())
    rows = "words" if draw.label_kind == "token" else "rows"
    return f"{len(counts)} {what} of {fewest:,}" + (f" to {most:,}" if most > fewest else "") + f" {rows}"


def dropped(draw: SampleInfo) -> str:
    """Return how many rows were dropped, by reason."""
    if not draw.dropped:
        return "none dropped"
    reasons = ", ".join(f"{plain(reason)} {rows:,}" for reason, rows in draw.dropped.items())
    return f"{sum(draw.dropped.values()):,} dropped ({reasons})"


def legend(ranking: Ranking) -> str:
    """Return what the columns of the scores mean."""
    score = ranking.best.scored.leading
    said = LEGENDS.get(score.name, OTHERWISE)
    aside = f"; transrate: {TRANSRATE}" if "transrate" in others(ranking) else ""
    ties = any(entry.tied_with for entry in ranking)
    tied = "; tied: ranks whose order against this one the sample does not support" if ties else ""
    return f"{plain(ranking.metric)}: {said}{aside}{tied}."


def notes(ranking: Ranking) -> list[str]:
    """Return what to know of the best one's score, one sentence each."""
    return [
        f"Note on {plain(ranking.best.name)}: {plain(note)}." for note in ranking.best.scored.leading.notes
    ]


def _recommended(ranking: Ranking, chosen: Ranked | None, names: dict[int, str]) -> str:
    best, digits = ranking.best, decimals(ranking)
    if chosen is None:
        score = best.scored.leading
        labels = NAMES_OF_KIND[ranking.draw.label_kind]
        interval = " to ".join(number(bound, digits) for bound in score.interval)
        return (
            f"No checkpoint tells the {labels} of {plain(ranking.draw.dataset)} apart better than shuffled "
            f"labels would: the best, {names[best.rank]}, scores {number(score.value, digits)} ({interval})."
        )
    license = plain(chosen.scored.candidate.license or "licence not stated")
    only = ", the only checkpoint ranked" if len(ranking) == 1 else ""
    use = f"Use {names[chosen.rank]} ({magnitude(chosen.scored.parameters)} parameters, {license}){only}."
    if chosen is best or _joined_in_vain(ranking, best):
        return use
    return f"{use} {names[best.rank]} ranks higher, but is not surely above what shuffled labels give."


def _joined_in_vain(ranking: Ranking, entry: Ranked) -> bool:
    joined = outcome(ranking) if entry.scored.parts else None
    return joined is not None and joined.verdict == "tied"


def _joined(ranking: Ranking, chosen: Ranked | None, names: dict[int, str]) -> str:
    """Say how a joined pair stands to the better of its parts."""
    joined = outcome(ranking)
    if joined is None:
        return ""
    pair = "Joined they score" if chosen is joined.entry else f"{names[joined.entry.rank]} joined scores"
    relation = "more" if joined.entry.rank < joined.better.rank else "less"
    where = "but within" if joined.verdict == "tied" else "beyond"
    return f"{pair} {relation} than {names[joined.better.rank]} alone, {where} the interval."


def _cheaper(ranking: Ranking, chosen: Ranked | None, names: dict[int, str]) -> str:
    """Name the fastest checkpoint that is tied with the chosen one, else the smallest, if clearly so."""
    if chosen is None:
        return ""
    tied = [
        e
        for e in ranking
        if e.name in chosen.tied_with and beats_shuffled(e) and not _same_network(chosen, e)
    ]
    for gain, words in ((_speedup, "cheaper to run"), (_shrinkage, "smaller")):
        other = max(tied, key=lambda e: gain(chosen, e), default=None)
        if other and gain(chosen, other) >= CLEARLY:
            times = factor(gain(chosen, other))
            return f"{names[other.rank]} is within the interval and {times} {words}."
    return ""


def _same_network(chosen: Ranked, other: Ranked) -> bool:
    """Return whether the two are of one build: a machine that was busy makes no network cheaper."""
    one, two = chosen.scored, other.scored
    return one.width == two.width and abs(one.parameters - two.parameters) <= 0.02 * one.parameters


def _speedup(chosen: Ranked, other: Ranked) -> float:
    before = chosen.scored.cost.rows_per_second
    return other.scored.cost.rows_per_second / before if before > 0 else 0.0


def _shrinkage(chosen: Ranked, other: Ranked) -> float:
    return chosen.scored.parameters / max(other.scored.parameters, 1)


def _untrained(chosen: Ranked | None) -> str:
    """Say so where nothing better is at hand than weights that nothing was learnt in."""
    warned = chosen is not None and chosen.scored.untrained
    return "Its weights are untrained: to fine-tune them is to train anew." if warned else ""


def _skipped(ranking: Ranking) -> str:
    skipped = sum(result.stage != STAGE for result in ranking.skipped)
    ranked = sum(not entry.scored.parts for entry in ranking)
    return f"{skipped} of {skipped + ranked} skipped." if skipped else ""
