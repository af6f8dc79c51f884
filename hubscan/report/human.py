"""The report of a ranking for a terminal: the answer in words, the table, the legend, the sample."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hubscan.plain_text import cleaned, cut
from hubscan.records import Ranked, Ranking
from hubscan.report import accuracy, sentences
from hubscan.report.answer import answer
from hubscan.report.formatting import (
    beside,
    decimals,
    magnitude,
    number,
    others,
    shown_names,
    speed,
    tied_ranks,
    with_interval,
    wrapped,
)
from hubscan.report.terminal import GAP, bare_table, shown
from hubscan.report.verified import as_parts

MODEL: Final = "model"
NARROWEST_MODEL: Final = 25  # columns are hidden until ids have this width, or all they need
MARK: Final = "→"  # before the recommended checkpoint
LONGEST_REASON: Final = 200
LONGEST_NAME: Final = 40  # width of the names of skipped checkpoints


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: its cells, and when it is hidden on a narrow terminal."""

    title: str
    cells: list[str]
    justify: Literal["left", "right"] = "right"
    gives_way: int = 0  # 0 is never hidden; the highest number is hidden first

    @property
    def natural(self) -> int:
        """Return the width that the column needs to show every cell on one line."""
        return max(Text(cell).cell_len for cell in [*self.title.split("\n"), *self.cells])


def as_text(ranking: Ranking, width: int | None = None, color: bool = False) -> str:
    """Return the report for a terminal of *width* columns, by default the present one.

    Without *color* it has no escape sequences, whatever the names contain.
    """
    ranking, width = cleaned(ranking), width or shutil.get_terminal_size((80, 24)).columns
    return shown(_parts(ranking, width), width, color)


def _parts(ranking: Ranking, width: int) -> list[RenderableType]:
    columns = _fitting(_columns(ranking), width)
    parts: list[RenderableType] = [
        Text(answer(ranking), style="bold"),
        "",
        _table(ranking, columns, width),
        "",
        _legend(ranking, columns),
    ]
    notes = sentences.notes(ranking)
    parts += ["", *map(Text, notes)] if notes else []
    if ranking.verdict:
        parts += ["", *as_parts(ranking.verdict, ranking)]
    if ranking.skipped:
        parts += ["", _skipped(ranking, min(width // 3, LONGEST_NAME))]
    return [*parts, "", Text("Sample: " + sentences.sample(ranking))]


def _table(ranking: Ranking, columns: Sequence[Column], width: int) -> Table:
    room = width - GAP * (len(columns) - 1) - sum(c.natural for c in columns if c.title != MODEL)
    table = bare_table()
    for column in columns:
        table.add_column(column.title, justify=column.justify, no_wrap=column.title != MODEL, overflow="fold")
    for place, entry in enumerate(ranking):
        cells = [wrapped(c.cells[place], room) if c.title == MODEL else c.cells[place] for c in columns]
        table.add_row(*map(Text, cells), style="green" if ranking.recommends(entry) else "")
        if entry.scored.flags:
            notes = ", ".join(entry.scored.flags)
            under = [notes if column.title == MODEL else "" for column in columns]
            table.add_row(*(Text(note, style="dim") for note in under))
    return table


def _legend(ranking: Ranking, columns: Sequence[Column]) -> Table:
    """Return one line for each column shown that needs an explanation."""
    titles = {column.title.replace("\n", " ") for column in columns}
    table = Table.grid(padding=(0, GAP, 0, 0))
    for title, meaning in sentences.legend(ranking, titles):
        table.add_row(Text(title), Text(meaning), style="dim")
    return table


def _columns(ranking: Ranking) -> list[Column]:
    digits = decimals(ranking)

    def of(cell: Callable[[Ranked], str]) -> list[str]:
        return [cell(entry) for entry in ranking]

    def other(name: str) -> list[str]:
        return [beside(entry.scored, name) for entry in ranking]

    tied = [tied_ranks(ranking, place) for place in range(len(ranking))]
    reads = of(lambda e: e.scored.candidate.modality)
    right = of(accuracy.cell)
    return [
        *([Column("", of(lambda e: MARK if ranking.recommends(e) else ""))] if ranking.recommended else []),
        Column("rank", of(lambda e: str(e.rank))),
        *([Column("tied", tied, "left")] if any(tied) else []),
        Column(MODEL, shown_names(ranking), "left"),
        *([Column("modality", reads, "left")] if len(set(reads)) > 1 else []),
        Column("params", of(lambda e: magnitude(e.scored.parameters))),
        *([Column(accuracy.title(ranking).replace("balanced ", "balanced\n"), right)] if any(right) else []),
        Column(sentences.score_title(ranking), of(lambda e: with_interval(e.scored.leading, digits))),
        *(Column(name, other(name), gives_way=1) for name in others(ranking)),
        Column("null", of(lambda e: number(e.scored.leading.null, digits)), gives_way=2),
        Column("rows/s", of(lambda e: speed(e.scored.cost.rows_per_second)), gives_way=3),
        Column("width", of(lambda e: str(e.scored.width)), gives_way=5),
        Column("pooling", of(lambda e: str(e.scored.pooling)), "left", gives_way=6),
    ]


def _fitting(columns: list[Column], width: int) -> list[Column]:
    """Return the columns that fit next to ids of a readable width."""
    kept = list(columns)
    while True:
        wanted = sum(
            min(column.natural, NARROWEST_MODEL) if column.title == MODEL else column.natural
            for column in kept
        )
        first_to_go = max(kept, key=lambda column: column.gives_way)
        if wanted + GAP * (len(kept) - 1) <= width or not first_to_go.gives_way:
            return kept
        kept.remove(first_to_go)


def _skipped(ranking: Ranking, room: int) -> Table:
    table = bare_table()
    table.add_column("skipped", overflow="fold", max_width=room)
    table.add_column("at", no_wrap=True)
    table.add_column("reason", overflow="fold", ratio=1)
    for skipped in ranking.skipped:
        reason = cut(skipped.reason, LONGEST_REASON)
        table.add_row(*map(Text, (wrapped(skipped.name, room), skipped.stage, reason)))
    return table
