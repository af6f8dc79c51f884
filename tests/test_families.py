"""The table of families is whole, true to transformers, and the only place where hubscan names a model type."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from transformers import CONFIG_MAPPING
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES  # type: ignore[attr-defined]

from hubscan.families import FAMILIES, Family, family_of, tower_of
from hubscan.hub import eligibility
from hubscan.records import Modality
from tests.families import audio, image, text
from tests.families.towers import TWO_TOWERS

PACKAGE: Final = Path(__file__).parents[1] / "hubscan"
CONFIGS: Final[Mapping[Modality, tuple[str, ...]]] = {
    "text": ("text_config",),
    "image": ("vision_config", "image_config"),
    "audio": ("audio_config",),
}
HELD: Final = {
    *((family.model_type, family.modality) for family in (*text.FAMILIES, *image.FAMILIES, *audio.FAMILIES)),
    *((model_type, modality) for model_type in TWO_TOWERS for modality in ("image", "text")),
}
"""What the tests hold to a direct computation with transformers."""
HELD_OTHERWISE: Final[Mapping[tuple[str, Modality], str]] = {
    ("mra", "text"): "refused, which test_families_text.py proves",
    ("model2vec", "text"): "transformers does not know it; test_declared.py holds it to its table",
    (
        "canine",
        "text",
    ): "cannot read a text of fewer than four characters, and is left out in tests/families/text.py",
    ("clap", "text"): "a candidate beside its audio tower, which test_rank_audio.py proves",
}

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.model_type)


def test_every_tower_in_the_table_is_held_by_a_test_or_listed_with_the_reason() -> None:
    towers = {(family.model_type, modality) for family in FAMILIES.values() for modality in family.towers}
    assert towers - HELD == set(HELD_OTHERWISE)


@every_family
def test_an_entry_has_towers_or_a_purpose_and_one_with_a_purpose_is_left_out(family: Family) -> None:
    assert bool(family.purpose) != bool(family.towers)
    if family.purpose:  # or the reason is that this transformers has no network of the type
        reason = str(eligibility.reason({"model_type": family.model_type}, "text"))
        assert "not an encoder" in reason or "has no encoder" in reason


@every_family
def test_towers_are_of_the_types_that_transformers_gives_them(family: Family) -> None:
    if family.static:
        assert family.model_type not in CONFIG_MAPPING
        return
    config = CONFIG_MAPPING[family.model_type]()
    for modality, tower in family.towers.items():
        assert tower_of(tower.model_type, modality) is tower
        assert tower.model_type == (_tower_type(config, modality) if family.is_dual else family.model_type)


def _tower_type(config: Any, modality: Modality) -> str:
    (found,) = (getattr(config, name) for name in CONFIGS[modality] if hasattr(config, name))
    return str(found.model_type)


@pytest.mark.parametrize("model_type", ["bert", "quantumformer", "", None, 3, ["clip"], {"clip": 1}])
def test_of_a_type_without_an_entry_nothing_is_known(model_type: object) -> None:
    assert family_of(model_type) == Family(str(model_type))
    assert tower_of(model_type, "text") is None


def test_the_table_is_the_only_place_that_names_a_model_type() -> None:
    types = {*CONFIG_MAPPING_NAMES, *FAMILIES}
    own = {PACKAGE / "families.py", *(PACKAGE / "demo").rglob("*.py")}  # the demo makes checkpoints
    files = set(PACKAGE.rglob("*.py")) - own
    assert [(file.name, name) for file in sorted(files) for name in _strings(file) if name in types] == []
    assert set(_strings(PACKAGE / "families.py")) & types  # they would be found


def _strings(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_table_is_read_without_torch_and_transformers() -> None:
    code = "import sys, hubscan.families; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
