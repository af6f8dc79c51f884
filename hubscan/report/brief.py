"""A ranking in a few lines: its `repr`, and its display in a notebook."""

from __future__ import annotations

from hubscan.plain_text import cleaned
from hubscan.records import Ranked, Ranking
from hubscan.report import accuracy
from hubscan.report.answer import answer
from hubscan.report.formatting import decimals, magnitude, shown_names, with_interval
from hubscan.report.markdown import escaped, table
from hubscan.report.sentences import score_title

SHOWN = 3  # checkpoints in the repr


def as_repr(ranking: Ranking) -> str:
    """Return what is ranked, the first few and the recommended one, one line each."""
    ranking = cleaned(ranking)
    draw = ranking.draw
    head = f"Ranking of {len(ranking)} by {ranking.metric}, {draw.rows:,} rows of {draw.dataset}"
    names, digits = shown_names(ranking), decimals(ranking)
    lines = [
        f"  {_mark(ranking, entry)}{entry.rank}  {name}  {with_interval(entry.scored.leading, digits)}"
        for entry, name in zip(ranking, names, strict=True)
        if entry.rank <= SHOWN or ranking.recommends(entry)
    ]
    more = len(ranking) - len(lines)
    rest = [f"{more} more"] if more else []
    rest += [f"{len(ranking.skipped)} skipped"] if ranking.skipped else []
    return "\n".join([head, *lines, *([f"    … {', '.join(rest)}"] if rest else [])])


def as_markdown(ranking: Ranking) -> str:
    """Return the answer in words and a table of five columns; `str` gives the whole report."""
    ranking = cleaned(ranking)
    names, digits = shown_names(ranking), decimals(ranking)
    titles = ["rank", "model", "params", accuracy.title(ranking), score_title(ranking)]
    rows = (
        [
            f"{_mark(ranking, entry).strip()} {entry.rank}".strip(),
            name,
            magnitude(entry.scored.parameters),
            accuracy.cell(entry),
            with_interval(entry.scored.leading, digits),
        ]
        for entry, name in zip(ranking, names, strict=True)
    )
    cells = table([*map(escaped, titles)], rows, right=["rank", "params", *map(escaped, titles[3:])])
    return f"{escaped(answer(ranking))}\n\n{cells}"


def _mark(ranking: Ranking, entry: Ranked) -> str:
    return "→ " if ranking.recommends(entry) else "  "
