"""A scan's plan in, what `--dry-run` prints out."""

from __future__ import annotations

from hubscan import recipe as recipes
from hubscan.records import Input
from hubscan.scan import Plan

SHOWN_CHARACTERS = 72


def as_text(plan: Plan) -> str:
    """Return the sample, two of its rows, the candidates and the resolved recipe."""
    drawn, lock = plan.sample.draw, plan.lock
    classes = ", ".join(f"{name} {count}" for name, count in drawn.classes.items())
    columns = ", ".join(f"{role}: {name}" for role, name in drawn.columns.items())
    lines = [
        f"sample      {drawn.rows} rows of {drawn.dataset}@{drawn.revision[:12]}, split {drawn.split}",
        f"columns     {columns}",
        f"classes     {classes}",
        *(f"dropped     {count} × {reason}" for reason, count in drawn.dropped.items()),
        *_examples(plan),
        f"checkpoints {len(lock.candidates)}",
        *(
            f"  {c.model}@{c.revision[:12]}  {_size(c.parameters)}  {c.license or '-'}"
            for c in lock.candidates
        ),
        *(f"  not found: {s.model}: {s.reason}" for s in lock.unresolved),
        "",
        recipes.to_yaml(plan.recipe),
    ]
    return "\n".join(lines).rstrip()


def _examples(plan: Plan) -> list[str]:
    inputs = next(iter(plan.sample.inputs.values()))
    names = list(plan.sample.draw.classes)
    places = (0, len(inputs) - 1)
    return [f"example     {names[plan.sample.labels[i]]}: {_shown(inputs[i])}" for i in places]


def _shown(value: Input) -> str:
    if isinstance(value, bytes):
        return f"an image file of {len(value)} bytes"
    flat = " ".join(value.split())
    return flat if len(flat) <= SHOWN_CHARACTERS else flat[: SHOWN_CHARACTERS - 1] + "…"


def _size(parameters: int | None) -> str:
    return f"{parameters / 1e6:.1f} M" if parameters else "size not listed"
