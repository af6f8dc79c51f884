"""`docs/families.md`: which families of encoders are answered for. The tests write it, and hold it to themselves.

HUBSCAN_WRITE=1 pytest tests/test_family_table.py
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from transformers import CONFIG_MAPPING
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES  # type: ignore[attr-defined]

from tests.families import audio, image, text
from tests.families.family import Family

TABLE = Path(__file__).parents[1] / "docs" / "families.md"
FAMILIES: Mapping[str, Sequence[Family]] = {
    "Text": text.FAMILIES,
    "Vision": image.FAMILIES,
    "Audio": audio.FAMILIES,
}
OUTSIDE: Mapping[str, Mapping[str, str]] = {"Text": text.LEFT_OUT, "Vision": image.OUTSIDE}
NAME = "model2vec (static embeddings)"


def page() -> str:
    """Return the page: a line each family, and what is left out."""
    types = {family.model_type for families in FAMILIES.values() for family in families}
    head = f"""\
# Families of encoders

hubscan reads any checkpoint that `AutoModel` loads from safetensors and whose weights fit. For the {len(types)}
model types below, of the {len(CONFIG_MAPPING_NAMES)} that transformers knows, a test makes a tiny random checkpoint and
holds its features, to 1e-4 in float32, to a direct computation with transformers, row by row; to themselves
in any batch, order and company; and every layer to `output_hidden_states`. Most of the others write or
draw, detect or segment, read videos, or are parts of a model that is listed; those that encode and are left
out stand below each table, with the reason.

*pooling* is what `--pooling auto` comes to: `declared` in the checkpoint's own files, by the family's
`convention`, or the `default`. *layers* says whether `--layers each` and `mean` work. Whatever the family, a
sentence-transformers repository is read as its `modules.json` declares: all poolings, dense layers,
normalisation, prompts; {NAME} too.
"""
    return head + "".join(
        f"\n## {name}\n\n{table(families)}{left_out(OUTSIDE.get(name, {}))}"
        for name, families in FAMILIES.items()
    )


def table(families: Iterable[Family]) -> str:
    titles = ("family", "model type", "pooling", "known from", "layers", "status")
    rows = [titles, ("---",) * len(titles)]
    rows += [
        (f.name, f"`{f.model_type}`", f.pooling, f.where, "yes" if f.layers else "last", "held by a test")
        for f in families
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def left_out(reasons: Mapping[str, str]) -> str:
    lines = "".join(f"- {name}: {reason}.\n" for name, reason in reasons.items())
    return f"\nLeft out:\n\n{lines}" if lines else ""


def test_the_table_in_the_docs_is_that_of_the_tests() -> None:
    if os.environ.get("HUBSCAN_WRITE"):
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(page())
    assert TABLE.read_text() == page(), "HUBSCAN_WRITE=1 pytest tests/test_family_table.py writes it"


def test_at_least_sixty_model_types_are_answered_for_and_all_are_known() -> None:
    types = {family.model_type for families in FAMILIES.values() for family in families}
    assert len(types) >= 60
    assert all(model_type in CONFIG_MAPPING for model_type in types)
