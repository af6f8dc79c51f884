"""`docs/families.md`: the model types that deviate from the general rule. The tests write it and check it.

HUBSCAN_WRITE=1 pytest tests/test_family_table.py
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from transformers import CONFIG_MAPPING
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES  # type: ignore[attr-defined]

from hubscan import families as known
from hubscan.records import Modality
from tests.families import audio, image, text
from tests.families.family import Family
from tests.families.towers import TWO_TOWERS

TABLE = Path(__file__).parents[1] / "docs" / "families.md"
FAMILIES: Mapping[str, Sequence[Family]] = {
    "Text": text.FAMILIES,
    "Vision": image.FAMILIES,
    "Audio": audio.FAMILIES,
}
OUTSIDE: Mapping[str, Mapping[str, str]] = {"Text": text.LEFT_OUT, "Vision": image.OUTSIDE}
PADDING: Mapping[str, str] = {
    "avoided": "only texts of equal length share a batch, because padding would change the states",
    "read": "padded to the limit without a mask, as in training",
}
TOKENS: Mapping[str, str] = {"cls": "the state of the first token", "last": "the state of the last token"}


def page() -> str:
    """Return the page: the general rule, the types that deviate from it, and those that are left out."""
    types = {family.model_type for families in FAMILIES.values() for family in families}
    regular = types - {model_type for name in FAMILIES for _, model_type, _ in exceptions(name)}
    head = f"""\
# Families of encoders

**The general rule.** hubscan reads any checkpoint that `AutoModel` loads from safetensors. With `--pooling auto`, a
checkpoint with sentence-transformers files is read as these declare (poolings, dense layers, normalisation, prompts),
and so is model2vec. Where nothing is declared: text is read by the last token if the network is causal, otherwise by
the mean of the tokens; images by the class token if there is one, otherwise by the mean of the patches or of the last
feature map; audio by the mean over time. `--layers each` and `mean` work. Audio is read for the tested types only.

{len(regular)} of the {len(types)} model types tested follow the general rule without an exception; the others are listed below.

transformers knows {len(CONFIG_MAPPING_NAMES)} model types. For each type tested, a tiny random checkpoint is compared with a direct
computation in transformers, row by row, to 1e-4 in float32; features must not depend on the batch, its order or the
other rows in it, and every layer must equal `output_hidden_states`. Most of the types that are not tested write or
draw, detect or segment, read videos, or are parts of a model that is. Encoders that are left out are below each table,
with the reason.
"""
    return head + "".join(
        f"\n## {name}\n\n{table(exceptions(name))}{left_out(OUTSIDE.get(name, {}))}" for name in FAMILIES
    )


def exceptions(name: str) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the model type and the deviations of what deviates in the part *name* of the page."""
    for family in FAMILIES[name]:
        if deviations(family):
            yield family.name, family.model_type, deviations(family)
    tested = {family.model_type for family in FAMILIES[name]}
    for entry in known.FAMILIES.values() if name == "Text" else ():
        tower = entry.towers.get("text") if entry.is_dual else None
        how = TOKENS.get(tower.pooling or "") if tower else None
        if how and entry.model_type not in tested:
            yield f"{entry.model_type} text tower", entry.model_type, how


def deviations(family: Family) -> str:
    """Return in what *family* deviates from the general rule, "" if in nothing."""
    entry, tower = known.family_of(family.model_type), tower_of(family.model_type, family.modality)
    found = []
    if tower and (tower.pooling or tower.hops_a_state):
        found.append(family.where)
    if tower and tower.layers_pooling:
        found.append(f"layers before the last: {tower.layers_pooling}")
    if tower and tower.padding in PADDING:
        found.append(PADDING[tower.padding])
    settings = [*entry.config.items(), *entry.arguments.items(), *(tower.inputs.items() if tower else ())]
    found += [f"`{key}` is set to `{value}`" for key, value in settings]
    found += [] if family.layers else ["only the last layer can be read"]
    return "; ".join(found)


def tower_of(model_type: str, modality: Modality) -> known.Tower | None:
    """Return the entry for a network, by its own type or by that of the dual encoder that it is part of."""
    return known.family_of(model_type).towers.get(modality) or known.tower_of(model_type, modality)


def table(rows: Iterable[tuple[str, str, str]]) -> str:
    """Return the table of *rows*, with one line for all families that are read alike."""
    alike: dict[str, tuple[list[str], list[str]]] = {}
    for name, model_type, how in rows:
        names, types = alike.setdefault(how, ([], []))
        names.append(name)
        types += [model_type] * (model_type not in types)
    lines = ["| model types | families | read by |\n", "| --- | --- | --- |\n"]
    for how, (names, types) in alike.items():
        lines.append(f"| {', '.join(f'`{kind}`' for kind in types)} | {', '.join(names)} | {how} |\n")
    return "".join(lines)


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


def test_every_entry_for_an_encoder_is_covered_by_a_test_or_left_out_with_a_reason() -> None:
    tested = {(family.model_type, family.modality) for families in FAMILIES.values() for family in families}
    tested |= {(model_type, modality) for model_type in TWO_TOWERS for modality in ("image", "text")}
    outside = {name for reasons in OUTSIDE.values() for name in reasons}
    read = [
        entry for entry in known.FAMILIES.values() if not entry.static and entry.model_type not in outside
    ]
    assert {
        (entry.model_type, modality)
        for entry in read
        for modality, tower in entry.towers.items()
        # A text tower without a rule of its own, such as CLAP's, is read as any text network.
        if modality != "text" or tower != known.Tower(tower.model_type)
    } - tested == set()
