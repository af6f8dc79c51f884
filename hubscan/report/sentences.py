"""The sample, the legend and the notes of a ranking in words: one line each, no markup."""

from __future__ import annotations

from collections.abc import Container

from hubscan.plain_text import plain
from hubscan.records import Ranking, SampleInfo
from hubscan.report import accuracy
from hubscan.report.formatting import as_sentence, byte_count, others, short

FEW_CLASSES = 6
INTERVAL, PERCENT = " [95 %]", ", %"  # behind the titles of columns
NAMES_OF_KIND = {"class": "classes", "multilabel": "labels", "token": "tags", "number": "numbers"}
LEGENDS = {
    "transrate": "how much the features reveal about the labels, in nats per row (0 = chance)",
    "logme": "log evidence of a Bayesian linear regression on the features, in nats per row",
    "hscore": "H-score: how much of the spread of the features lies between classes",
    "nleep": "N-LEEP: how well clusters of the features predict the labels, in nats (at most 0)",
    "knn": "how well the five nearest rows predict the label (1 = always right)",
    "probe": "how well a cross-validated ridge regression predicts the label (1 = always right)",
    "size": "logarithm of the number of parameters",
    "transfer": "score of an earlier version",
    "evidence": "score of an earlier version",
}
OLD_TRANSRATE = "score of an earlier version, in nats"
PUBLISHED = "TransRate as published, at one distortion"
OTHERWISE = "higher is better"
COLUMNS = {
    "null": "the same score with shuffled labels; should be near 0",
    "rows/s": "rows per second when the features were computed",
    "width": "length of the feature vector",
    "pooling": "how the vectors of an input become one, and who decided it",
}


def sample(ranking: Ranking) -> str:
    """Return what was drawn, from where, and what was dropped."""
    draw = ranking.draw
    words = " words" if draw.label_kind == "token" else ""
    config = f"{draw.config}, " if draw.config else ""
    source = f"{draw.dataset}@{short(draw.revision)} ({config}split {draw.split})"
    read = f"{byte_count(draw.bytes_read)} read"
    if draw.block_rows > 1:
        read += f" from {draw.groups_read:,} of {draw.groups:,} row groups"
    said = [
        f"{draw.rows:,}{words} of {draw.rows_seen:,} rows of {source}, seed {draw.seed}",
        classes(draw),
        *([groups(draw)] if draw.group_count is not None else []),
        f"{dropped(draw)}; {read}",
        *draw_notes(draw),
    ]
    return " ".join(map(as_sentence, said))


def draw_notes(draw: SampleInfo) -> list[str]:
    """Return what to know about the rows, one sentence each."""
    what = "sentence" if draw.label_kind == "token" else "row"
    one = draw.duplicates == 1
    copies = (
        f"{draw.duplicates:,} {what}{' is an exact duplicate' if one else 's are exact duplicates'} of others"
    )
    notes = [*([copies] if draw.duplicates else []), *draw.notes]
    return [as_sentence(note) for note in notes]


def classes(draw: SampleInfo) -> str:
    """Return the classes with their rows; if there are many, their number and range.

    The most frequent class of the split follows, if it is known.
    """
    counts = draw.classes
    if draw.label_kind == "number":
        return f"labels are the numbers in {draw.columns.get('label', 'a column')}"
    what = NAMES_OF_KIND[draw.label_kind]
    if len(counts) <= FEW_CLASSES:
        listed = ", ".join(f"{name} ({rows:,})" for name, rows in counts.items())
        return f"{what}: {listed}{_split_majority(draw)}"
    fewest, most = min(counts.values()), max(counts.values())
    rows = "words" if draw.label_kind == "token" else "rows"
    span = f"{fewest:,} to {most:,}" if most > fewest else f"{fewest:,}"
    return f"{len(counts)} {what} of {span} {rows}{_split_majority(draw)}"


def _split_majority(draw: SampleInfo) -> str:
    """Return the most frequent class of the split, if it is known."""
    if not draw.split_shares:
        return ""
    name, share = max(draw.split_shares.items(), key=lambda item: item[1])
    percent = f"{100 * share:.3g}" if share < 0.9995 else "over 99.9"
    return f"; most frequent in the split: {name} ({percent} %)"


def groups(draw: SampleInfo) -> str:
    """Return the number of groups, for a sample with a group column."""
    return f"{draw.group_count:,} group{'' if draw.group_count == 1 else 's'} by {draw.columns['group']}"


def dropped(draw: SampleInfo) -> str:
    """Return how many rows were dropped, by reason."""
    if not draw.dropped:
        return "No rows dropped"
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in draw.dropped.items())
    return f"Dropped {sum(draw.dropped.values()):,}: {reasons}"


def legend(ranking: Ranking, columns: Container[str]) -> list[tuple[str, str]]:
    """Return each of *columns* that needs an explanation, without its unit, and what it means."""
    title = accuracy.title(ranking)
    beside = {name: LEGENDS.get(name, _published(name)) for name in others(ranking)}
    meanings = {
        score_title(ranking): f"{_score(ranking)}, with its 95 % interval",
        title: accuracy.legend(ranking),
        "tied": "ranks that this sample cannot separate from this one",
        **beside,
        **COLUMNS,
    }
    lines = [
        (name.removesuffix(INTERVAL).removesuffix(PERCENT), said)
        for name, said in meanings.items()
        if said and name in columns
    ]
    return [*lines, *([("→", "recommended")] if ranking.recommended else [])]


def score_title(ranking: Ranking) -> str:
    """Return the title of the column of the score that ranks."""
    return ranking.metric + INTERVAL


def _score(ranking: Ranking) -> str:
    score = ranking.first.scored.leading
    return OLD_TRANSRATE if score.raw is not None else LEGENDS.get(score.name, _published(score.name))


def _published(name: str) -> str:
    return PUBLISHED if name.startswith("transrate-") else OTHERWISE


def notes(ranking: Ranking) -> list[str]:
    """Return what to know before trusting the ranking, and what could not be computed."""
    failures = [f"{e.name}: {why}" for e in ranking for why in e.scored.failures.values()]
    caveats = map(plain, ranking.first.scored.leading.notes)
    return [*map(as_sentence, caveats), *(f"{failure.rstrip('.')}." for failure in failures)]
