"""Decide which columns of a split are inputs and which is the label, and of what kind the label is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hubscan.errors import DatasetError
from hubscan.records import TASKS, LabelKind, Modality, SampleRequest
from hubscan.sample.column_names import (
    CAPTION_NAMES,
    INPUT_NAMES,
    LABEL_NAMES,
    PAIR_NAMES,
    actual_name,
    called,
    listed,
)
from hubscan.sample.column_notes import about_names, about_words
from hubscan.sample.column_types import declared_names
from hubscan.sample.label_columns import (
    KINDS_OF_LABEL,
    Peek,
    are_words,
    is_one_hot,
    items_beside,
    label_kind,
    the_label,
)
from hubscan.sample_size import LEAST_OF_CLASS

if TYPE_CHECKING:
    from datasets import Features

OF_MODALITY: Final[Mapping[Modality, str]] = {"text": "texts", "image": "images", "audio": "audio"}
KINDS_OF_GROUP: Final = re.compile(r"text|class|integer|boolean|number|(date|time|duration).*")
MOST_ADVISED: Final = 4  # columns that a message suggests


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

    Names match without regard to case and to spaces around them, if no column matches exactly.

    Args:
        features: the declared features of the dataset.
        kinds: the kind of each column, from `kinds_of`.
        peek: returns the first rows. It is called where types and names do not decide.
        request: the task, columns and label kind that were requested.

    Raises:
        DatasetError: if no column can be recognised; names the columns, their kinds and the option to pass.
    """
    request = _with_actual_names(request, kinds)
    group = _group(kinds, request)
    labels = request.label_columns or (the_label(_without(group, kinds), request),)
    for name in labels:
        _check(name, kinds, KINDS_OF_LABEL, "--label-column", "labels")
    beside = items_beside(labels, kinds, peek, request)
    words = beside if beside and are_words(beside, labels, kinds, peek, request) else None
    kind = label_kind(labels, kinds, words, peek, request)
    if kind == "token" and set(request.modalities) - {"text"}:
        other = next(modality for modality in request.modalities if modality != "text")
        raise DatasetError(
            f"--modality {other}: column {labels[0]!r} has a label for each word, which only text "
            "encoders can use; leave --modality out, or pass another --label-column"
        )
    others = {name: k for name, k in kinds.items() if name not in labels}
    if group not in request.input_columns:
        others = _without(group, others)
    inputs: dict[Modality, tuple[str, ...]] = (
        {"text": (words,)} if kind == "token" and words else _inputs(others, request)
    )
    declared = declared_names(features.get(labels[0])) if len(labels) == 1 else None
    one_hot = kind == "multilabel" and declared is None and is_one_hot(labels, kinds, peek)
    if kinds[labels[0]] == "booleans" and not one_hot:
        raise DatasetError(
            f"{request.dataset}: column {labels[0]!r} holds lists of true and false of different lengths, so "
            "they do not say which label they are about; pass another --label-column"
        )
    return Columns(
        inputs,
        tuple(labels),
        kind,
        declared,
        one_hot=one_hot,
        fixed=request.label_kind is not None or declared is not None,
        group=group,
        notes=(
            *about_words(beside, words, labels, others, request),
            *about_names(inputs, labels, group, kinds, request),
        ),
    )


def _with_actual_names(request: SampleRequest, kinds: Mapping[str, str]) -> SampleRequest:
    """Return *request* with the names of its columns as the dataset writes them."""

    def actual(names: Sequence[str], flag: str) -> tuple[str, ...]:
        return tuple(actual_name(name, flag, kinds, str(request.dataset)) for name in names)

    groups = () if request.group_column is None else (request.group_column,)
    return replace(
        request,
        input_columns=actual(request.input_columns, "--input-column"),
        label_columns=actual(request.label_columns, "--label-column"),
        group_column=next(iter(actual(groups, "--group-column")), None),
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
    if not KINDS_OF_GROUP.fullmatch(kinds[name]):
        raise DatasetError(
            f"--group-column {name}: holds {kinds[name]} values, not single values such as numbers, texts or "
            f"dates; leave it out, or pass one of {listed(kinds)}"
        )
    return name


def _without(name: str | None, kinds: Mapping[str, str]) -> dict[str, str]:
    return {other: kind for other, kind in kinds.items() if other != name}


def _inputs(kinds: Mapping[str, str], request: SampleRequest) -> dict[Modality, tuple[str, ...]]:
    if request.input_columns:
        return _wanted(_asked(request.input_columns, kinds, request), request)
    texts = [name for name, kind in kinds.items() if kind == "text"]
    caption = next(iter(called(CAPTION_NAMES, texts)), None)
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
    pairs = [pair for pair in (called(names, fitting) for names in PAIR_NAMES) if len(pair) == 2]
    if modality == "text" and pairs:
        return tuple(pairs[0])
    named = called(INPUT_NAMES[modality], fitting)
    if len(fitting) == 1 or named:
        return (named[0] if named else fitting[0],)
    if not fitting:
        asked = (
            f" for --modality {modality}"
            if request.modalities
            else f" for --task {request.task}"
            if request.task
            else ""
        )
        raise DatasetError(
            f"{request.dataset}: no {modality} column{asked} among {listed(kinds)}; convert the data so that "
            f"a column holds {OF_MODALITY[modality]}"
        )
    raise DatasetError(
        f"{request.dataset}: several columns could be the {modality}; pass --input-column"
        f"{' (twice for a pair)' if modality == 'text' else ''} with one of "
        f"{listed({name: kinds[name] for name in fitting})}"
    )


def _check(column: str, kinds: Mapping[str, str], fitting: object, flag: str, what: str) -> None:
    assert isinstance(fitting, set | Mapping)
    if kinds[column] in fitting:
        return
    others = {name: kind for name, kind in kinds.items() if kind in fitting}
    if others:
        raise DatasetError(
            f"{flag} {column}: holds {kinds[column]} values, not {what}; pass one of {listed(others)}"
        )
    raise DatasetError(f"{flag} {column}: holds {kinds[column]} values, not {what}; convert the column")


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
        *called(LABEL_NAMES, single),
        *sorted(repeated, key=values.__getitem__),
    ]
    return list(dict.fromkeys(likely))[:MOST_ADVISED]
