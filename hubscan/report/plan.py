"""What a scan would do, for `--dry-run`: the sample with two of its rows, the candidates, the recipe."""

from __future__ import annotations

from collections.abc import Sequence

from hubscan.plain_text import cleaned, cut, plain
from hubscan.records import Candidate, Input, Modality, Sample, SampleInfo, Skipped
from hubscan.report import sentences
from hubscan.report.formatting import byte_count, magnitude, short

SHOWN_CHARACTERS = 72


def as_text(
    draw: SampleInfo,
    examples: Sequence[str],
    candidates: Sequence[Candidate],
    unresolved: Sequence[Skipped],
    recipe_yaml: str,
    *,
    fuse: bool = False,
) -> str:
    """Return the sample, two of its rows (`examples`), the candidates and the resolved recipe."""
    drawn, candidates, unresolved = cleaned((draw, candidates, unresolved))
    source = f"{drawn.dataset}@{short(drawn.revision)}, split {drawn.split}"
    lines = [
        f"Sample      {drawn.rows:,} of {drawn.rows_seen:,} rows of {source}",
        f"Columns     {', '.join(f'{role}: {name}' for role, name in drawn.columns.items())}",
        f"Labels      {sentences.classes(drawn)}",
        *([f"Groups      {sentences.groups(drawn)}"] if drawn.group_count is not None else []),
        *(f"Dropped     {reason}: {count:,}" for reason, count in drawn.dropped.items()),
        *(f"Note        {note}" for note in sentences.draw_notes(drawn)),
        *(f"Example     {example}" for example in examples),
        "",
        f"Candidates  {len(candidates)}{', and the best two joined' if fuse else ''}",
        *(
            f"  {c.name}@{short(c.revision)}  {c.modality}  {_size(c.parameters)}  "
            f"{', '.join((c.license or 'licence not stated', *c.flags))}"
            for c in candidates
        ),
        *(f"  not found: {s.model}: {s.reason}" for s in unresolved),
        "",
        "Recipe",
        recipe_yaml,
    ]
    return "\n".join(lines).rstrip()


def examples(sample: Sample) -> list[str]:
    """Return the first and the last row of *sample*, each with its label in one line."""
    return [_example(sample, row) for row in (0, sample.draw.rows - 1)]


def _example(sample: Sample, row: int) -> str:
    joint = " + " if sample.places is None else " "  # between the texts of a pair, or the words of a sentence
    place = row if sample.places is None else int(sample.places[row, 0])
    shown = " | ".join(_shown(values[place], kind, joint) for kind, values in sample.inputs.items())
    return f"{_label(sample, row)}: {shown}"


def _label(sample: Sample, row: int) -> str:
    label, names = sample.labels[row], [plain(name) for name in sample.draw.classes]
    if sample.draw.label_kind == "number":
        return f"{label:g}"
    if sample.draw.label_kind == "multilabel":
        return ", ".join(name for name, has in zip(names, label, strict=True) if has) or "no label"
    if sample.places is None:
        return names[int(label)]
    place, word = sample.places[row].tolist()
    return f"{names[int(label)]} of {plain(sample.inputs['text'][place][word])!r}"


def _shown(value: Input, modality: Modality, joint: str) -> str:
    if isinstance(value, bytes):
        return f"{modality} file of {byte_count(len(value))}"
    if isinstance(value, tuple):
        return cut(joint.join(plain(part) for part in value), SHOWN_CHARACTERS)
    return cut(plain(value), SHOWN_CHARACTERS)


def _size(parameters: int | None) -> str:
    return magnitude(parameters) if parameters else "size unknown"
