"""Decide which columns are the label, and of what kind it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Final

import pyarrow as pa

from hubscan.errors import DatasetError
from hubscan.records import LabelKind, SampleRequest
from hubscan.sample.column_names import INPUT_NAMES, LABEL_NAMES, WORDS_NAMES, called, listed, plain_name

KINDS_OF_LABEL: Final[Mapping[str, tuple[LabelKind, ...]]] = {
    # The label kinds that a column of each kind can have; the first is the default.
    "class": ("class",),
    "integer": ("class", "number", "multilabel"),
    "boolean": ("class", "multilabel"),
    "text": ("class",),
    "number": ("number", "class", "multilabel"),
    "classes": ("multilabel", "token"),
    "integers": ("multilabel", "token"),
    "texts": ("multilabel", "token"),
    "numbers": ("multilabel",),
    "booleans": ("multilabel",),
}
INDICATORS: Final = ("integer", "boolean", "number")  # kinds of columns with a 0 or 1 for one label
MOSTLY: Final = 0.9
LONG_TEXT: Final = 20  # characters: a shorter value without spaces may be an id or a code
Peek = Callable[[Sequence[str]], pa.Table]
"""Return the first rows of some columns."""


def the_label(kinds: Mapping[str, str], request: SampleRequest) -> str:
    """Return the only declared label column, or the one with the most usual name.

    Raises:
        DatasetError: if none stands out.
    """
    declared = [name for name, kind in kinds.items() if kind in ("class", "classes")]
    if len(declared) == 1:
        return declared[0]
    usable = [name for name, kind in kinds.items() if kind in KINDS_OF_LABEL]
    named = called(LABEL_NAMES, declared or usable)
    if named:
        return named[0]
    if not usable:
        raise DatasetError(
            f"{request.dataset}: none of the columns {listed(kinds)} can be a label; add a column with the "
            "class of each row"
        )
    choice = listed({name: kinds[name] for name in usable})
    if not declared and all(kinds[name] in ("text", "number", "numbers") for name in usable):
        raise DatasetError(
            f"{request.dataset}: no label column found; pass --label-column with one of {choice}"
        )
    raise DatasetError(
        f"{request.dataset}: several columns could be the label; pass --label-column with one of {choice}"
    )


def items_beside(
    labels: Sequence[str], kinds: Mapping[str, str], peek: Peek, request: SampleRequest
) -> str | None:
    """Return the column whose lists have an item for each label, if there is one."""
    if len(labels) > 1 or "token" not in KINDS_OF_LABEL[kinds[labels[0]]]:
        return None
    if request.label_kind not in (None, "token"):
        return None
    lists = [name for name, kind in kinds.items() if kind == "texts" and name != labels[0]]
    lists = [name for name in lists if name in request.input_columns] if request.input_columns else lists
    if not lists:
        return None
    rows = peek([*lists, labels[0]])
    lengths = _lengths(rows[labels[0]])
    lists = [name for name in lists if _agree(_lengths(rows[name]), lengths)]
    return next(iter([*called(WORDS_NAMES, lists), *lists]), None)


def are_words(
    beside: str, labels: Sequence[str], kinds: Mapping[str, str], peek: Peek, request: SampleRequest
) -> bool:
    """Return whether *beside* holds the words of a sentence, and not just as many items as labels.

    It does if it was asked for or there is no column of texts to read instead. If no task was given, it also
    does if it is called `tokens` or `words`, or the labels are called tags.
    """
    if "token" in (request.label_kind, (request.task or "").removesuffix("-classification")):
        return True
    called_words = plain_name(beside) in WORDS_NAMES or plain_name(labels[0]).endswith("tags")
    if request.input_columns or (called_words and request.task is None):
        return True
    return not [name for name in _texts(kinds, peek) if name not in labels]


def _texts(kinds: Mapping[str, str], peek: Peek) -> list[str]:
    """Return the columns of texts, without those of ids or codes."""
    texts = [name for name, kind in kinds.items() if kind == "text"]
    if not texts:
        return []
    rows = peek(texts)
    return [name for name in texts if name in called(INPUT_NAMES["text"], texts) or _is_prose(rows[name])]


def _is_prose(column: pa.ChunkedArray) -> bool:
    values = [value for value in column.to_pylist() if value]
    return sum(len(v.split()) > 1 or len(v) >= LONG_TEXT for v in values) >= MOSTLY * max(len(values), 1)


def _lengths(column: pa.ChunkedArray) -> list[int | None]:
    return [None if row is None else len(row) for row in column.to_pylist()]


def _agree(words: list[int | None], labels: list[int | None]) -> bool:
    """Return whether at least 90 % of the rows have as many labels as words; a few may be damaged."""
    pairs = [pair for pair in zip(words, labels, strict=True) if None not in pair]
    return sum(one == other for one, other in pairs) >= MOSTLY * max(len(pairs), 1)


def label_kind(
    labels: Sequence[str],
    kinds: Mapping[str, str],
    words: str | None,
    peek: Peek,
    request: SampleRequest,
) -> LabelKind:
    """Return the kind of the labels: as requested, or from the types and first values of the columns.

    Args:
        labels: the label columns; several are indicators of one label each.
        kinds: the kind of each column.
        words: the column with a word for each label, if the labels are tags.
        peek: returns the first rows.
        request: the task and label kind that were requested.

    Raises:
        DatasetError: if the columns cannot hold labels of the requested kind.
    """
    possible = KINDS_OF_LABEL[kinds[labels[0]]]
    if len(labels) > 1:
        found: LabelKind = "multilabel"
    elif request.label_kind is not None:
        found = request.label_kind
    elif kinds[labels[0]] == "number" and _whole(peek(labels)[labels[0]]):
        found = "class"  # until a fraction appears: an empty cell turns integers into floats
    else:
        found = "token" if words else possible[0]
    flag = f"--label-column {', '.join(labels)}"
    not_indicators = [name for name in labels if kinds[name] not in INDICATORS] if len(labels) > 1 else []
    if not_indicators:
        raise DatasetError(
            f"{flag}: column {not_indicators[0]!r} holds {kinds[not_indicators[0]]} values, not 0 or 1 for "
            "one label; name one column with the labels, or only columns of 0 and 1"
        )
    if found not in possible or (
        found == "multilabel" and kinds[labels[0]] in INDICATORS and len(labels) == 1
    ):
        raise DatasetError(
            f"{flag}: holds {kinds[labels[0]]} values, which are not labels of kind {found}; pass another "
            f"--label-kind, or another column: {listed(kinds)}"
        )
    if found == "token" and words is None:
        raise DatasetError(
            f"{flag}: holds {kinds[labels[0]]} values, but no column has a word for each label; pass another "
            f"--label-kind, or another column: {listed(kinds)}"
        )
    if (found == "token") != (request.task == "token-classification") and request.task:
        right = "token-classification" if found == "token" else "text-classification, or another column"
        raise DatasetError(
            f"{flag}: holds {kinds[labels[0]]} values, labels of kind {found}; pass --task {right}"
        )
    return found


def _whole(column: pa.ChunkedArray) -> bool:
    """Return whether all values are whole numbers, apart from missing ones."""
    values = [float(value) for value in column.to_pylist() if value is not None]
    return all(value.is_integer() for value in values if isfinite(value))


def is_one_hot(labels: Sequence[str], kinds: Mapping[str, str], peek: Peek) -> bool:
    """Return whether the label column has a list of 0 and 1, one for each label, in every row."""
    if len(labels) > 1 or kinds[labels[0]] not in ("integers", "numbers", "booleans"):
        return False
    rows = [row for row in peek(labels)[labels[0]].to_pylist() if row is not None]
    return (
        len({len(row) for row in rows}) == 1 and len(rows[0]) > 1 and {v for r in rows for v in r} <= {0, 1}
    )
