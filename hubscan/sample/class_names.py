"""Say which names of classes may be mistakes in the data, for `SampleInfo.notes`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from hubscan.sample.column_names import either, plain_name

WORDS_FOR_MISSING: Final = frozenset({"na", "n/a", "#n/a", "nan", "none", "null", "nil", "<na>", "nat", "-"})
MOST_NAMED: Final = 3


def notes_about_classes(names: Sequence[str]) -> Iterator[str]:
    """Yield a note about classes that may mean a missing label, and about classes that may be one.

    >>> list(notes_about_classes(["EU", "NA"]))
    ["the class 'NA' is kept; leave the cell empty if it means that the label is missing"]
    """
    missing = [name for name in names if plain_name(name) in WORDS_FOR_MISSING][:MOST_NAMED]
    if missing:
        one = len(missing) == 1
        yield (
            f"the class{'' if one else 'es'} {either(missing)} {'is' if one else 'are'} kept; leave the cell "
            "empty if it means that the label is missing"
        )
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[plain_name(name)].append(name)
    several = [found for found in alike.values() if len(found) > 1]
    if several:
        yield (
            f"the classes {either(several[0])} differ only in case or in spaces; write them alike in the "
            "data if they are one class"
        )
