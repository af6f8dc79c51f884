"""The sample, the legend and the notes of a ranking in words: one line each, no markup."""

from __future__ import annotations

from hubscan.records import Ranking, SampleInfo
from hubscan.report import accuracy
from hubscan.report.formatting import byte_count, plain, short

FEW_CLASSES = 6
NAMES_OF_KIND = {"class": "classes", "multilabel": "labels", "token": "tags", "number": "numbers"}
LEGENDS = {
    "transrate": "nats per row that the labels save in coding the features, less the cost; higher is better",
    "transfer": "a score of earlier versions; nats per row, higher is better",
    "evidence": "a score of earlier versions; nats per row, higher is better",
}
OLD_TRANSRATE = "a score of earlier versions; nats, higher is better; null: of shuffled labels"
OTHERWISE = "higher is better"


def sample(ranking: Ranking) -> str:
    """Return what was drawn, from where, and what was left out."""
    draw = ranking.draw
    drawn = f"{draw.rows:,}{' words' if draw.label_kind == 'token' else ''}"
    parts = [
        f"{plain(draw.dataset)}@{short(draw.revision)}",
        *([plain(draw.config)] if draw.config else []),
        f"split {plain(draw.split)}: {drawn} of the {draw.rows_seen:,} rows seen",
        classes(draw),
        *([groups(draw)] if draw.group_count is not None else []),
        f"seed {draw.seed}",
    ]
    read = f"{byte_count(draw.bytes_read)} read"
    if draw.block_rows > 1:
        read += f" from {draw.groups_read:,} of {draw.groups:,} row groups"
    return ". ".join(["; ".join([", ".join(parts), dropped(draw), read]), *draw_notes(draw)])


def draw_notes(draw: SampleInfo) -> list[str]:
    """Return what to know of how the rows came, one sentence each without its full stop."""
    what = "sentences" if draw.label_kind == "token" else "rows"
    twice = f"{draw.duplicates:,} of the {what} copy others exactly"
    notes = [*([twice] if draw.duplicates else []), *draw.notes]
    return [plain(note[:1].upper() + note[1:]) for note in notes]


def classes(draw: SampleInfo) -> str:
    """Return the classes with their rows, or when they are many their number and range.

    Where the shares in the split are known, the largest of them is added.
    """
    counts = draw.classes
    if draw.label_kind == "number":
        return f"numbers of {plain(draw.columns.get('label', 'a column'))}"
    what = NAMES_OF_KIND[draw.label_kind]
    if len(counts) <= FEW_CLASSES:
        listed = ", ".join(f"{plain(name)} {rows:,}" for name, rows in counts.items())
        return f"{what} {listed}{_split_majority(draw)}"
    fewest, most = min(counts.values()), max(counts.values())
    rows = "words" if draw.label_kind == "token" else "rows"
    span = f"{fewest:,} to {most:,}" if most > fewest else f"{fewest:,}"
    return f"{len(counts)} {what} of {span} {rows}{_split_majority(draw)}"


def _split_majority(draw: SampleInfo) -> str:
    """Return the largest share in the split, where it is known."""
    if not draw.split_shares:
        return ""
    name, share = max(draw.split_shares.items(), key=lambda item: item[1])
    percent = f"{100 * share:.3g}" if share < 0.9995 else "over 99.9"
    return f" (most frequent in the split: {plain(name)}, {percent} %)"


def groups(draw: SampleInfo) -> str:
    """Return how many groups the group column makes of the rows, for a sample that has one."""
    return (
        f"{draw.group_count:,} group{'' if draw.group_count == 1 else 's'} by {plain(draw.columns['group'])}"
    )


def dropped(draw: SampleInfo) -> str:
    """Return how many rows were dropped, by reason."""
    if not draw.dropped:
        return "none dropped"
    reasons = ", ".join(f"{plain(reason)} {rows:,}" for reason, rows in draw.dropped.items())
    return f"{sum(draw.dropped.values()):,} dropped ({reasons})"


def legend(ranking: Ranking) -> list[str]:
    """Return what each column shown means, one line each."""
    score = ranking.first.scored.leading
    said = OLD_TRANSRATE if score.raw is not None else LEGENDS.get(score.name, OTHERWISE)
    ties = any(entry.tied_with for entry in ranking)
    lines = [
        f"{plain(ranking.metric)}: {said}; [95 %]: where it would lie had other rows been drawn.",
        accuracy.legend(ranking),
        "tied: ranks that this sample cannot tell apart from this one." if ties else "",
        "→: the recommended checkpoint." if ranking.recommended else "",
    ]
    return [line for line in lines if line]


def notes(ranking: Ranking) -> list[str]:
    """Return what to know before trusting the first one's score, and what could not be computed."""
    first = ranking.first
    failures = [f"{plain(e.name)}: {plain(why)}." for e in ranking for why in e.scored.failures.values()]
    said = [f"Note on {plain(first.name)}: {plain(note)}." for note in first.scored.leading.notes]
    return [*said, *failures]
