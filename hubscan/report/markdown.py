"""A ranking as Markdown; also the one place that makes text from outside safe for Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hubscan.plain_text import cleaned, cut, plain
from hubscan.records import Ranking
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
)

LONGEST_REASON = 300

# An underscore inside a word and an at sign after one have no effect in Markdown.
_AT_WORK = re.compile(r"[\\`*\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_])|(?<!\w)@")


# Where a renderer would find an address in plain text, before or after it decodes references.
_ADDRESS = re.compile(
    r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=[\w.+-])(?=@[\w-]+\.\w)|(?<=mailto:)|(?<=xmpp:)", re.I
)
_BREAK = "<!-- -->"  # invisible, and text on both sides of it is not read as one address


class Markdown(str):
    """Text that is already Markdown, which `escaped` leaves as it is."""

    __slots__ = ()


def escaped(text: object) -> str:
    """Return *text* as Markdown that shows exactly its characters, in a sentence or in a cell.

    It uses character references instead of backslashes, because tables are split at bars before backslashes
    are read, and a reference never opens a tag, a link, a mention or a code span. Addresses do not become
    links.
    """
    if isinstance(text, Markdown):
        return text
    parts = _ADDRESS.split(plain(text))
    return _BREAK.join(_AT_WORK.sub(lambda match: f"&#{ord(match[0])};", part) for part in parts)


def table(
    titles: Sequence[str], rows: Iterable[Sequence[object]], right: str | Sequence[str] = ""
) -> Markdown:
    """Return a table with every cell escaped; *right* names the columns that are aligned right."""
    flush = right.split() if isinstance(right, str) else right
    lines = [
        titles,
        ["--:" if title in flush else "---" for title in titles],
        *([escaped(cell) for cell in row] for row in rows),
    ]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def ranking_table(ranking: Ranking) -> Markdown:
    """Return one line per checkpoint, with the parameters next to the score."""
    digits = decimals(ranking)
    titles = [
        "rank",
        "tied",
        "model",
        "modality",
        "parameters",
        accuracy.title(ranking),
        ranking.metric,
        "95 %",
        *others(ranking),
        "null",
        "rows/s",
    ]
    scores = [ranking.metric, *others(ranking), "null"]
    rows = (_cells(ranking, place, name, digits) for place, name in enumerate(shown_names(ranking)))
    return table(
        [*map(escaped, titles), "width", "pooling", "licence"],
        rows,
        right=["rank", "parameters", accuracy.title(ranking), *map(escaped, scores), "rows/s", "width"],
    )


def skipped_table(ranking: Ranking) -> Markdown:
    """Return one line per skipped checkpoint, with the stage and the reason."""
    rows = ([s.name, s.stage, cut(s.reason, LONGEST_REASON)] for s in ranking.skipped)
    return table(["skipped", "at", "reason"], rows)


def legend_list(ranking: Ranking) -> Markdown:
    """Return what the columns mean, as a list."""
    columns = [sentences.score_title(ranking), accuracy.title(ranking), *others(ranking), "null", "rows/s"]
    lines = sentences.legend(ranking, [*columns, "tied", "width", "pooling"])
    return Markdown("\n".join(f"- {escaped(title)}: {escaped(meaning)}" for title, meaning in lines))


def as_markdown(ranking: Ranking) -> str:
    """Return the answer in words, the table, its legend, the skipped checkpoints and the sample."""
    ranking = cleaned(ranking)
    parts = [escaped(answer(ranking)), ranking_table(ranking), legend_list(ranking)]
    parts += [escaped(note) for note in sentences.notes(ranking)]
    if ranking.skipped:
        parts.append(skipped_table(ranking))
    return "\n\n".join([*parts, "Sample: " + escaped(sentences.sample(ranking))])


def _cells(ranking: Ranking, place: int, name: str, digits: int) -> list[object]:
    entry = ranking[place]
    scored, score = entry.scored, entry.scored.leading
    low, high = (number(bound, digits) for bound in score.interval)
    flags = f" ({escaped(', '.join(scored.flags))})" if scored.flags else ""
    return [
        f"→ {entry.rank}" if ranking.recommends(entry) else entry.rank,
        tied_ranks(ranking, place),
        Markdown(escaped(name) + flags),
        scored.candidate.modality,
        magnitude(scored.parameters),
        accuracy.cell(entry),
        number(score.value, digits),
        f"{low} to {high}",
        *(beside(scored, name) for name in others(ranking)),
        number(score.null, digits),
        speed(scored.cost.rows_per_second),
        scored.width,
        scored.pooling,
        scored.candidate.license or "not stated",
    ]
