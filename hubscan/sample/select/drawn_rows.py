"""Rows that were read for the sample, with their labels and inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hubscan.records import Input, LabelKind, Modality
from hubscan.sample.cells import Unusable
from hubscan.sample.label_codes import NO_LABEL, Coded
from hubscan.sample.select.random_keys import Places


@dataclass(frozen=True, slots=True)
class Label:
    """The label of one row, in the codes of a `Coder`."""

    codes: tuple[
        int, ...
    ] = ()  # one for a class, any number for several labels; for tags, one per tagged word
    words: tuple[int, ...] = ()  # the positions of these words
    number: float = float("nan")


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A row with its label and its inputs."""

    row: int
    label: Label
    inputs: Mapping[Modality, Input]
    group: Hashable = None  # its value in the group column; None if missing


@dataclass(frozen=True, slots=True)
class Pick:
    """One row of the sample: a row of the split or, for token labels, one of its words."""

    drawn: DrawnRow
    word: int = -1  # its position in the sentence
    tag: int = NO_LABEL


@dataclass(slots=True)
class DrawnRows:
    """The rows of a sample, and statistics about reading them."""

    picks: Sequence[Pick]  # in the order of the sample
    rows_seen: int
    dropped: Counter[str]
    groups: int = 0
    groups_read: int = 0
    block_rows: int = 1
    all_seen: bool = True  # whether the label of every row of the split was read
    notes: tuple[str, ...] = ()


def labels_of(coded: Coded, kind: LabelKind, rows: int) -> list[Label]:
    """Return the label of each of *rows* rows."""
    if kind == "number":
        assert coded.numbers is not None
        return [Label(number=number) for number in coded.numbers.tolist()]
    bounds = np.searchsorted(coded.places, np.arange(rows + 1)).tolist()
    codes = coded.codes.tolist()
    words = coded.words.tolist() if coded.words is not None else [0] * len(codes)
    return [
        Label(tuple(c for c in codes[start:stop] if c >= 0), tuple(words[start:stop]))
        for start, stop in pairwise(bounds)
    ]


def checked(inputs: dict[Modality, Input], label: Label) -> dict[Modality, Input]:
    """Return *inputs* if they have every labelled word.

    Raises:
        Unusable: if there are more labels than words.
    """
    if label.words and isinstance(words := inputs.get("text"), tuple) and max(label.words) >= len(words):
        raise Unusable("more labels than words")
    return inputs


def merged(picks: Sequence[Sequence[Pick]], seats: Places) -> list[Pick]:
    """Return the sample: each of the *seats*, (n,) classes, gets the next of the *picks* of its class."""
    waiting = [iter(of_class) for of_class in picks]
    return [next(waiting[stratum]) for stratum in seats.tolist()]
