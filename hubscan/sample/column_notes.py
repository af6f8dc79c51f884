"""Say which columns were chosen where others could be meant, for `SampleInfo.notes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hubscan.records import Modality, SampleRequest
from hubscan.sample.column_names import INPUT_NAMES, LABEL_NAMES, called, either
from hubscan.sample.label_columns import KINDS_OF_LABEL


def about_words(
    beside: str | None,
    words: str | None,
    labels: Sequence[str],
    others: Mapping[str, str],
    request: SampleRequest,
) -> Iterator[str]:
    """Yield what was decided between a column of texts and one with an item for each label."""
    if beside is None or request.task or request.label_kind or request.input_columns:
        return
    if words is None:
        yield (
            f"column {beside!r} has an item for each of the {labels[0]!r}, but the texts are read, not its "
            "items; pass --task token-classification to change that"
        )
    elif named := called(INPUT_NAMES["text"], [name for name, kind in others.items() if kind == "text"]):
        yield (
            f"the words in {words!r} are read, not the texts in {named[0]!r}; pass --task "
            "text-classification to change that"
        )


def about_names(
    inputs: Mapping[Modality, Sequence[str]],
    labels: Sequence[str],
    group: str | None,
    kinds: Mapping[str, str],
    request: SampleRequest,
) -> Iterator[str]:
    """Yield which other columns have the name of a label or an input, and could be meant."""
    aside = {*labels, *(name for names in inputs.values() for name in names), group}
    labelled = [n for n in called(LABEL_NAMES, kinds) if kinds[n] in KINDS_OF_LABEL and n not in aside]
    if labelled and not request.label_columns:
        yield f"the label is {labels[0]!r}, not {either(labelled)}; pass --label-column to change that"
    if request.input_columns:
        return
    for modality, read in inputs.items():
        named = [n for n in called(INPUT_NAMES[modality], kinds) if kinds[n] == modality and n not in aside]
        if named:
            yield (
                f"the {modality} is {either(read)}, without {either(named)}; pass --input-column to "
                "change that"
            )
