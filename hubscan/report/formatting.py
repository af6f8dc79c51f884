"""Numbers, names and text from outside, as they appear in a sentence or a cell."""

from __future__ import annotations

import re

from hubscan.plain_text import plain
from hubscan.records import Ranking, Score, Scored

COMMIT_DIGITS = 8


def as_sentence(text: str) -> str:
    """Return *text* with a capital first letter and one full stop.

    >>> as_sentence("no rows dropped")
    'No rows dropped.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def wrapped(name: str, room: int) -> str:
    """Return an id on lines of *room* characters, broken after a slash, a dash or a plus."""
    lines = [""]
    for piece in re.split(r"(?<=[/_-])|(?<=\+ )", name):
        if lines[-1] and len(lines[-1] + piece) > room:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def short(revision: str) -> str:
    """Return the first digits of a commit or a content hash.

    >>> short("sha256:0123456789abcdef")
    '01234567'
    """
    return plain(revision).removeprefix("sha256:")[:COMMIT_DIGITS]


def magnitude(count: int) -> str:
    """Return a number of parameters with at least two digits.

    >>> [magnitude(n) for n in (950, 4_386_178, 33_360_000, 999_600_000, 1_540_000_000)]
    ['950', '4.4 M', '33 M', '1 B', '1.5 B']
    """
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * unit:
            return f"{count / unit:.{0 if count >= 9.95 * unit else 1}f}".removesuffix(".0") + f" {letter}"
    return str(count)


def byte_count(count: int) -> str:
    """Return a number of bytes in decimal units.

    >>> [byte_count(n) for n in (0, 999, 1_234_567)]
    ['0 B', '999 B', '1.2 MB']
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def speed(rows_per_second: float) -> str:
    """Return rows per second for a cell.

    >>> [speed(x) for x in (1234.5, 61.04, 0.25)]
    ['1,234', '61', '0.25']
    """
    return f"{rows_per_second:,.0f}" if rows_per_second >= 10 else f"{rows_per_second:.2g}"


def factor(ratio: float) -> str:
    """Return a ratio as in "3× smaller".

    >>> [factor(x) for x in (1.52, 3.04, 17.6)]
    ['1.5×', '3×', '18×']
    """
    return f"{ratio:.{0 if ratio >= 9.95 else 1}f}".removesuffix(".0") + "×"


def decimals(ranking: Ranking) -> int:
    """Return how many decimals scores need, so that the interval of the first has two digits."""
    low, high = ranking.first.scored.leading.interval
    half = (high - low) / 2
    return 2 if half >= 0.02 or half <= 0 else 3 if half >= 0.002 else 4


def number(value: float | None, digits: int) -> str:
    """Return *value* with *digits* decimals, never a negative zero; nothing if it is unknown."""
    return "" if value is None else f"{value:z.{digits}f}"


def with_interval(score: Score, digits: int) -> str:
    """Return a score and its 95 % interval for a cell."""
    value, low, high = (number(x, digits) for x in (score.value, *score.interval))
    return f"{value} [{low}, {high}]"


def others(ranking: Ranking) -> list[str]:
    """Return the names of the metrics other than the one that ranks."""
    names = {name: None for entry in ranking for name in entry.scored.scores}
    return [name for name in names if name != ranking.first.scored.leading.name]


def beside(scored: Scored, name: str) -> str:
    """Return the value of the metric *name* for a cell."""
    score = scored.scores.get(name)
    return "" if score is None else number(score.value, 2)


def shown_names(ranking: Ranking) -> list[str]:
    """Return a name for each entry on one line, with the commit if a checkpoint is there at two commits."""
    names = [plain(entry.name) for entry in ranking]
    return [
        f"{name}@{short(entry.scored.candidate.revision)}" if names.count(name) > 1 else name
        for name, entry in zip(names, ranking, strict=True)
    ]


def tied_ranks(ranking: Ranking, index: int) -> str:
    """Return the ranks that entry *index* is tied with, with consecutive ones joined.

    Ranks 2, 3, 4 and 7 become `2–4, 7`.
    """
    this = ranking[index]
    ranks = [entry.rank for entry in ranking if entry is not this and entry.name in this.tied_with]
    runs: list[list[int]] = []
    for rank in ranks:
        if runs and runs[-1][-1] == rank - 1:
            runs[-1].append(rank)
        else:
            runs.append([rank])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
