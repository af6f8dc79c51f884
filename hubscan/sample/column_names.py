"""Match column names as people write them, and recognise inputs and labels by their usual names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from hubscan.errors import DatasetError
from hubscan.records import Modality
from hubscan.sample.choices import choices

INPUT_NAMES: Final[Mapping[Modality, tuple[str, ...]]] = {
    "text": ("text", "sentence", "content", "review", "document", "body", "tweet", "title"),
    "image": ("image", "img", "picture", "photo", "pixels"),
    "audio": ("audio", "speech", "sound", "wav"),
}
PAIR_NAMES: Final = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("sentence_a", "sentence_b"),
    ("query", "passage"),
    ("question", "passage"),
)
CAPTION_NAMES: Final = ("text", "caption", "description", "title", "sentence", "question")
LABEL_NAMES: Final = (
    *("label", "labels", "class", "category", "target", "sentiment", "y"),
    *("tags", "genres", "topics", "score", "similarity_score", "cls"),
)
WORDS_NAMES: Final = ("tokens", "words", "token", "word")
WORDS_OF_A_VALUE: Final = 4  # names of columns have fewer
LONGEST_NAME: Final = 60  # characters of a name in a list


def plain_name(name: str) -> str:
    """Return *name* without surrounding spaces, in lower case."""
    return name.strip().casefold()


def called(names: Iterable[str], columns: Collection[str]) -> list[str]:
    """Return those of *columns* that are called one of *names*, in the order of the names.

    An exact match precedes one with other case or with spaces around it.

    >>> called(("text", "title"), ["Title", " text", "id"])
    [' text', 'Title']
    """
    found = []
    for name in names:
        found += [name] if name in columns else []
        found += [column for column in columns if column != name and plain_name(column) == name]
    return found


def actual_name(asked: str, flag: str, columns: Mapping[str, str], where: str) -> str:
    """Return the column that *asked* names: exactly, or else without regard to case and outer spaces.

    Args:
        asked: the name that the user gave.
        flag: the option with which it was given.
        columns: the kind of each column.
        where: the dataset, for messages.

    Raises:
        DatasetError: if there is no such column, or several.
    """
    if asked in columns:
        return asked
    found = [name for name in columns if plain_name(name) == plain_name(asked)]
    if not found:
        raise DatasetError(f"{flag} {asked}: no such column in {where}; pass one of {listed(columns)}")
    if len(found) > 1:
        raise DatasetError(
            f"{flag} {asked}: {where} has {len(found)} such columns; pass one of "
            f"{', '.join(map(repr, found))} exactly as it is written"
        )
    return found[0]


def listed(kinds: Mapping[str, str]) -> str:
    """Return the columns, quoted, with their kinds; and a question if a name looks like a value."""
    doubt = " (is a header line missing?)" if any(map(_is_value, kinds)) else ""
    return choices([f"{_quoted(name)} ({kind})" for name, kind in kinds.items()]) + doubt


def _quoted(name: str) -> str:
    return repr(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…")


def _is_value(name: str) -> bool:
    """Return whether *name* looks like a value: a number or a sentence."""
    return bool(re.fullmatch(r"\s*[-+]?\d+([.,]\d+)?\s*", name)) or len(name.split()) >= WORDS_OF_A_VALUE


def either(names: Sequence[str]) -> str:
    """Return *names* quoted and joined with "and"."""
    return " and ".join(map(repr, names))
