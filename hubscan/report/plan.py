"""What a scan is about to do, for `--dry-run`: its sample with two rows, its candidates, its recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hubscan.records import Candidate, Input, Modality, Sample, Skipped
from hubscan.report import sentences
from hubscan.report.formatting import cut, plain

SHOWN_CHARACTERS = 72


def as_text(
    sample: Sample,
    candidates: Sequence[Candidate],
    unresolved: Sequence[Skipped],
    recipe_yaml: str,
    *,
    fuse: bool = False,
) -> str:
    """Return the sample, two of its rows, the candidates and the resolved recipe."""
    drawn = sample.draw
    columns = ", ".join(f"{role}: {name}" for role, name in drawn.columns.items())
    lines = [
        f"sample      {drawn.rows} rows of {drawn.dataset}@{drawn.revision[:12]}, split {drawn.split}",
        f"columns     {columns}",
        f"labels      {drawn.label_kind}: {sentences.classes(drawn)}",
        *([f"groups      {sentences.groups(drawn)}"] if drawn.group_count is not None else []),
        *(f"dropped     {count} × {reason}" for reason, count in drawn.dropped.items()),
        *(f"note        {note}" for note in sentences.draw_notes(drawn)),
        *_examples(sample),
        f"checkpoints {len(candidates)}{', and the best pair' if fuse else ''}",
        *(
            f"  {c.model}@{c.revision[:12]}  {c.modality}  {_size(c.parameters)}  {c.license or '-'}"
            for c in candidates
        ),
        *(f"  not found: {s.model}: {s.reason}" for s in unresolved),
        "",
        recipe_yaml,
    ]
    return "\n".join(lines).rstrip()


def _examples(sample: Sample) -> Iterator[str]:
    joint = " + " if sample.places is None else " "  # of a pair, or of the words of a sentence
    for row in (0, sample.draw.rows - 1):
        place = row if sample.places is None else int(sample.places[row, 0])
        shown = " | ".join(_shown(values[place], kind, joint) for kind, values in sample.inputs.items())
        yield f"example     {_label(sample, row)}: {shown}"


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
        article = "an image" if modality == "image" else "a sound"
        return f"{article} file of {len(value)} bytes"
    if isinstance(value, tuple):
        return cut(joint.join(plain(part) for part in value), SHOWN_CHARACTERS)
    return cut(plain(value), SHOWN_CHARACTERS)


def _size(parameters: int | None) -> str:
    return f"{parameters / 1e6:.1f} M" if parameters else "size not listed"
