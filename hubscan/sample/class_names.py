"""Say which classes may be one, written in different ways, for `SampleInfo.notes`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hubscan.sample.column_names import either, plain_name


def notes_about_spelling(names: Sequence[str]) -> Iterator[str]:
    """Yield a note about classes that differ only in case or in spaces.

    >>> [note.partition(";")[0] for note in notes_about_spelling(["yes", "no", "Yes "])]
    ["the classes 'yes' and 'Yes ' differ only in case or in spaces"]
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[plain_name(name)].append(name)
    several = [found for found in alike.values() if len(found) > 1]
    if several:
        yield (
            f"the classes {either(several[0])} differ only in case or in spaces; write them alike in the "
            "data if they are one class"
        )
