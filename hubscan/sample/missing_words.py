"""Say where words such as NA were kept, for `SampleInfo.notes`: they may mean that a value is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from hubscan.sample.column_names import either, plain_name

WORDS: Final = frozenset(
    {"na", "n/a", "#n/a", "<na>", "nan", "-nan", "none", "null", "nil", "nat", "\\n", "-"}
)
LONGEST: Final = 8  # characters; longer texts need no closer look
MOST_NAMED: Final = 3


def means_missing(text: str) -> bool:
    """Return whether *text* is a word that data frames and databases write for a missing value.

    >>> [means_missing(text) for text in ("NA", " null", "Nadia", "")]
    [True, True, False, False]
    """
    return len(text) <= LONGEST and plain_name(text) in WORDS


def notes_about_classes(names: Sequence[str]) -> Iterator[str]:
    """Yield a note about classes that may mean a missing label.

    >>> list(notes_about_classes(["EU", "NA"]))
    ["the class 'NA' is kept; leave the cell empty if it means that the label is missing"]
    """
    found = list(filter(means_missing, names))[:MOST_NAMED]
    if found:
        classes, are = ("the class", "is") if len(found) == 1 else ("the classes", "are")
        yield (
            f"{classes} {either(found)} {are} kept; leave the cell empty if it means that the label is "
            "missing"
        )


def notes_about_texts(words: Counter[str]) -> Iterator[str]:
    """Yield a note about the texts of the sample that are one of *words*, with their counts."""
    if words:
        named = ", ".join(f"{word!r} ({count:,})" for word, count in words.most_common(MOST_NAMED))
        yield f"texts that are just {named} are kept; leave the cell empty if it means that there is no text"
