"""Decide which columns of a split are inputs and which is the label, and of what kind the label is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from hubscan.errors import DatasetError
from hubscan.records import TASKS, LabelKind, Modality, SampleRequest
from hubscan.sample.column_types import declared_names
from hubscan.sample_size import LEAST_OF_CLASS

if TYPE_CHECKING:
    from datasets import Features

INPUT_NAMES: Final[Mapping[Modality, tuple[str, ...]]] = {
    "text": ("text", "sentence", "content", "review", "document", "body", "tweet", "title"),
    "image": ("image", "img", "picture", "photo", "pixels"),
    "audio": ("audio", "speech", "sound", "wav"),
}
OF_MODALITY: Final[Mapping[Modality, str]] = {"text": "texts", "image": "images", "audio": "audio"}
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
KINDS_OF_LABEL: Final[Mapping[str, tuple[LabelKind, ...]]] = {
    # The label kinds that a column of each kind can have; the first is the default.
    "class": ("class",),
    "integer": ("class", "number", "multilabel"),
    "boolean": ("class", "multilabel"),
    "text": ("class",),
    "number": ("number", "class"),
    "classes": ("multilabel", "token"),
    "integers": ("multilabel", "token"),
    "texts": ("multilabel", "token"),
}
KINDS_OF_GROUP: Final = re.compile(r"text|class|integer|boolean|number|(date|time|duration).*")
MOSTLY: Final = 0.9
MOST_ADVISED: Final = 4  # columns that a message suggests
Peek = Callable[[Sequence[str]], pa.Table]
"""Return the first rows of some columns."""


@dataclass(frozen=True)
class Columns:
    """The columns to read, and how to read the labels."""

    inputs: Mapping[Modality, tuple[str, ...]]  # one column per modality; two columns are a pair of texts
    labels: tuple[str, ...]  # one column, or several 0/1 columns
    kind: LabelKind
    names: tuple[str, ...] | None  # of the classes of a ClassLabel, which are indices into them
    one_hot: bool = False  # each row has a list with a 0 or 1 for every label
    fixed: bool = False  # the kind was requested or declared, so the values do not change it
    group: str | None = None  # the column whose equal values mark rows of one group
    notes: tuple[str, ...] = ()  # what was decided among several possible columns, for `SampleInfo.notes`

    @property
    def contents(self) -> list[str]:
        """Return the input and label columns without repeats."""
        return list(
            dict.fromkeys([*(name for names in self.inputs.values() for name in names), *self.labels])
        )

    @property
    def all(self) -> list[str]:
        """Return all columns to read for a sampled row, without repeats."""
        return list(dict.fromkeys([*self.contents, *self._groups]))

    @property
    def _groups(self) -> tuple[str, ...]:
        return () if self.group is None else (self.group,)

    def roles(self) -> dict[str, str]:
        """Return role to column, as in results: text, text_2, image, audio, label, label_2, group."""
        named = [*self.inputs.items(), ("label", self.labels), ("group", self._groups)]
        return {
            role if place == 1 else f"{role}_{place}": column
            for role, columns in named
            for place, column in enumerate(columns, start=1)
        }


def find(features: Features, kinds: Mapping[str, str], peek: Peek, request: SampleRequest) -> Columns:
    """Return the columns that *request* names, or the ones recognised by type and name.

    Args:
        features: the declared features of the dataset.
        kinds: the kind of each column, from `kinds_of`.
        peek: returns the first rows. It is called for lists only, whose lengths distinguish tags of
            words from labels of a whole text.
        request: the task, columns and label kind that were requested.

    Raises:
        DatasetError: if no column can be recognised; names the columns, their kinds and the option to pass.
    """
    group = _group(kinds, request)
    labels = request.label_columns or (_the_label(_without(group, kinds)),)
    for name in labels:
        _check(name, kinds, KINDS_OF_LABEL, "--label-column", "labels")
    words = _words_beside(labels, kinds, peek, request)
    kind = _kind(labels, kinds, words, request)
    if kind == "token" and set(request.modalities) - {"text"}:
        other = next(modality for modality in request.modalities if modality != "text")
        raise DatasetError(
            f"--modality {other}: column {labels[0]} has a label for each word, which only text "
            "encoders can use; leave --modality out, or pass another --label-column"
        )
    others = {name: k for name, k in kinds.items() if name not in labels}
    if group not in request.input_columns:
        others = _without(group, others)
    inputs: dict[Modality, tuple[str, ...]] = (
        {"text": (words,)} if kind == "token" and words else _inputs(others, request)
    )
    declared = declared_names(features.get(labels[0])) if len(labels) == 1 else None
    return Columns(
        inputs,
        tuple(labels),
        kind,
        declared,
        one_hot=kind == "multilabel" and declared is None and _one_hot(labels, kinds, peek),
        fixed=request.label_kind is not None or declared is not None,
        group=group,
    )


def _group(kinds: Mapping[str, str], request: SampleRequest) -> str | None:
    name = request.group_column
    if name is None:
        return None
    if name in request.label_columns:
        raise DatasetError(
            f"--group-column {name}: this is the label column, and a class cannot be one group; "
            "name another column, or leave --group-column out"
        )
    if name in kinds and not KINDS_OF_GROUP.fullmatch(kinds[name]):
        raise DatasetError(
            f"--group-column {name}: holds {kinds[name]} values, not single values such as numbers, texts or "
            f"dates; name another column, or leave it out; there are: {listed(kinds)}"
        )
    if name not in kinds:
        raise DatasetError(f"--group-column {name}: no such column; there are: {listed(kinds)}")
    return name


def _without(name: str | None, kinds: Mapping[str, str]) -> dict[str, str]:
    return {other: kind for other, kind in kinds.items() if other != name}


def _the_label(kinds: Mapping[str, str]) -> str:
    declared = [name for name, kind in kinds.items() if kind in ("class", "classes")]
    if len(declared) == 1:
        return declared[0]
    usable = [name for name, kind in kinds.items() if kind in KINDS_OF_LABEL]
    named = [name for name in LABEL_NAMES if name in (declared or usable)]
    if named:
        return named[0]
    if not (declared or any(kind not in ("text", "number") for kind in map(kinds.__getitem__, usable))):
        raise DatasetError(f"no label column found; pass --label-column; there are: {listed(kinds)}")
    raise DatasetError(f"which column is the label? pass --label-column; there are: {listed(kinds)}")


def _words_beside(
    labels: Sequence[str], kinds: Mapping[str, str], peek: Peek, request: SampleRequest
) -> str | None:
    """Return the column whose lists have a word for each label, if there is one."""
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
    return next((name for name in lists if _agree(_lengths(rows[name]), lengths)), None)


def _lengths(column: pa.ChunkedArray) -> list[int | None]:
    return [None if row is None else len(row) for row in column.to_pylist()]


def _agree(words: list[int | None], labels: list[int | None]) -> bool:
    """Return whether at least 90 % of the rows have as many labels as words; a few may be damaged."""
    pairs = [pair for pair in zip(words, labels, strict=True) if None not in pair]
    return sum(one == other for one, other in pairs) >= MOSTLY * max(len(pairs), 1)


def _kind(
    labels: Sequence[str], kinds: Mapping[str, str], words: str | None, request: SampleRequest
) -> LabelKind:
    possible = KINDS_OF_LABEL[kinds[labels[0]]]
    if len(labels) > 1:
        found: LabelKind = "multilabel"
    elif request.label_kind is not None:
        found = request.label_kind
    else:
        found = "token" if words else possible[0]
    flag = f"--label-column {', '.join(labels)}: holds {kinds[labels[0]]} values"
    if found not in possible or (found == "multilabel" and kinds[labels[0]] in ("integer", "boolean")) != (
        len(labels) > 1
    ):
        raise DatasetError(f"{flag}, which are not labels of kind {found}; there are: {listed(kinds)}")
    if found == "token" and words is None:
        raise DatasetError(f"{flag}, but no column has a word for each label; there are: {listed(kinds)}")
    if (found == "token") != (request.task == "token-classification") and request.task:
        right = "token-classification" if found == "token" else "text-classification, or another column"
        raise DatasetError(f"{flag}, labels of kind {found}; pass --task {right}")
    return found


def _one_hot(labels: Sequence[str], kinds: Mapping[str, str], peek: Peek) -> bool:
    if len(labels) > 1 or kinds[labels[0]] != "integers":
        return False
    rows = [row for row in peek(labels)[labels[0]].to_pylist() if row is not None]
    return (
        len({len(row) for row in rows}) == 1 and len(rows[0]) > 1 and {v for r in rows for v in r} <= {0, 1}
    )


def _inputs(kinds: Mapping[str, str], request: SampleRequest) -> dict[Modality, tuple[str, ...]]:
    if request.input_columns:
        return _wanted(_asked(request.input_columns, kinds, request), request)
    caption = next((name for name in CAPTION_NAMES if kinds.get(name) == "text"), None)
    modalities = list(dict.fromkeys(request.modalities)) or [_modality(kinds, request)]
    # A text column with another name may hold file names, which often reveal the label.
    if modalities == ["image"] and not (request.task or request.modalities) and caption:
        modalities.append("text")
    with_image = {"image", "text"} <= set(modalities)
    return {
        modality: (caption,)
        if modality == "text" and with_image and caption
        else _the_input(kinds, modality, request)
        for modality in modalities
    }


def _wanted(
    asked: dict[Modality, tuple[str, ...]], request: SampleRequest
) -> dict[Modality, tuple[str, ...]]:
    """Return the columns of the modalities in *request*, or all of them if it names none."""
    missing = [modality for modality in request.modalities if modality not in asked]
    if missing:
        raise DatasetError(
            f"--modality {missing[0]}: no {missing[0]} column among --input-column "
            f"{', '.join(request.input_columns)}; name one more, or leave --input-column out"
        )
    return {modality: asked[modality] for modality in dict.fromkeys(request.modalities)} or asked


def _modality(kinds: Mapping[str, str], request: SampleRequest) -> Modality:
    if request.task:
        return TASKS[request.task]
    present = set(kinds.values())
    return "image" if "image" in present else "audio" if "audio" in present else "text"


def _asked(
    names: Sequence[str], kinds: Mapping[str, str], request: SampleRequest
) -> dict[Modality, tuple[str, ...]]:
    modality = _modality({name: kinds.get(name, "") for name in names}, request)
    inputs: dict[Modality, tuple[str, ...]] = {}
    for name in names:
        alone = request.task and len(names) == 1 and not request.modalities
        fitting = {modality} if alone else {"text", "image", "audio"}
        what = OF_MODALITY[modality] if len(fitting) == 1 else "texts, images or audio"
        _check(name, kinds, fitting, "--input-column", what)
        kind: Modality = kinds[name]  # type: ignore[assignment]  # _check ensures it
        inputs[kind] = (*inputs.get(kind, ()), name)
    most = {"text": 2, "image": 1, "audio": 1}
    if any(len(columns) > most[kind] for kind, columns in inputs.items()):
        raise DatasetError(
            f"--input-column {', '.join(names)}: too many columns; name one text, a pair of texts, one image "
            "or one audio column"
        )
    return inputs


def _the_input(kinds: Mapping[str, str], modality: Modality, request: SampleRequest) -> tuple[str, ...]:
    fitting = [name for name, kind in kinds.items() if kind == modality]
    pairs = [pair for pair in PAIR_NAMES if set(pair) <= set(fitting)]
    if modality == "text" and pairs:
        return pairs[0]
    named = [name for name in INPUT_NAMES[modality] if name in fitting]
    if len(fitting) == 1 or named:
        return (named[0] if named else fitting[0],)
    if not fitting:
        flag = f"--modality {modality}: " if request.modalities else f"--task {request.task}: "
        asked = flag if request.modalities or request.task else ""
        raise DatasetError(f"{asked}no {modality} column; there are: {listed(kinds)}")
    raise DatasetError(
        f"which column is the {modality}? pass --input-column"
        f"{' (twice for a pair)' if modality == 'text' else ''}; there are: {listed(kinds)}"
    )


def _check(column: str, kinds: Mapping[str, str], fitting: object, flag: str, what: str) -> None:
    assert isinstance(fitting, set | Mapping)
    if column not in kinds:
        raise DatasetError(f"{flag} {column}: no such column; there are: {listed(kinds)}")
    if kinds[column] not in fitting:
        raise DatasetError(
            f"{flag} {column}: holds {kinds[column]} values, not {what}; there are: {listed(kinds)}"
        )


def likelier_labels(kinds: Mapping[str, str], peek: Peek, columns: Columns) -> list[str]:
    """Return the columns that are likelier to hold classes than those of *columns*, the likeliest first.

    They are declared as classes, have the name of a label, or repeat their values in the first rows.
    """
    others = [name for name in kinds if name not in columns.all]
    single = [name for name in others if kinds[name] in ("class", "integer", "boolean", "text")]
    if not single:
        return []
    rows = peek(single)
    values = {name: len(rows[name].drop_null().unique()) for name in single}
    repeated = [name for name in single if 1 < values[name] <= len(rows) // LEAST_OF_CLASS]
    likely = [
        *(name for name in single if kinds[name] == "class"),
        *(name for name in LABEL_NAMES if name in single),
        *sorted(repeated, key=values.__getitem__),
    ]
    return list(dict.fromkeys(likely))[:MOST_ADVISED]


def listed(kinds: Mapping[str, str]) -> str:
    """Return the columns and their kinds as text for a message."""
    return ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
