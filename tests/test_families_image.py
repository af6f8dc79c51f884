"""The vision encoder of every family, on a tiny random checkpoint each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModel

from hubscan import encoders, extract
from hubscan.records import Input
from tests.families.family import Family
from tests.families.image import FAMILIES, picture
from tests.families.properties import features_are_right, layers_are_right, rows_are_independent

ROWS: list[Input] = [picture(0), picture(1), picture(2, 64, 30), picture(3, 300, 200), picture(4, 1, 1)]

every_family = pytest.mark.parametrize("family", FAMILIES, ids=str)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Family], Path]:
    """Return the folder of a family's checkpoint, made when it is first asked for."""
    folders: dict[str, Path] = {}

    def folder(family: Family) -> Path:
        if family.model_type not in folders:
            folders[family.model_type] = tmp_path_factory.mktemp(family.model_type)
            family.make(folders[family.model_type])
        return folders[family.model_type]

    return folder


@every_family
def test_features_are_those_of_each_picture_alone(family: Family, made: Callable[[Family], Path]) -> None:
    features_are_right(family, made(family), ROWS)


@every_family
def test_features_do_not_depend_on_the_company(
    family: Family, made: Callable[[Family], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_are_independent(family, made(family), ROWS, monkeypatch)


@every_family
def test_layers_are_the_hidden_states(family: Family, made: Callable[[Family], Path]) -> None:
    layers_are_right(family, made(family), ROWS)


@every_family
def test_half_a_precision_is_enough(family: Family, made: Callable[[Family], Path]) -> None:
    whole, half = (
        extract.extract(encoders.load(made(family), "image", dtype=dtype), ROWS[:2], "cpu")
        for dtype in ("float32", "bfloat16")
    )
    assert half.dtype == "bfloat16" and np.isfinite(half.matrix).all()
    error = np.linalg.norm(half.matrix - whole.matrix) / np.linalg.norm(whole.matrix)
    assert error < 0.2


def test_every_case_is_of_its_own_model_type_and_known_to_transformers() -> None:
    types = [family.model_type for family in FAMILIES]
    assert len(set(types)) == len(types) > 50
    assert set(types) <= set(CONFIG_MAPPING)


@pytest.mark.parametrize("name", ["vit", "deit", "dinov2_with_registers"])
def test_the_mean_is_of_patches_alone(name: str, made: Callable[[Family], Path]) -> None:
    folder = made(next(family for family in FAMILIES if family.model_type == name))
    encoder = encoders.load(folder, "image", pooling="mean")
    found = extract.extract(encoder, ROWS[:1], "cpu").matrix
    batch = encoder.prepare(ROWS[:1]).batch([0])
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder).eval()(**batch).last_hidden_state
    np.testing.assert_allclose(found, states[:, -16:].mean(1), atol=1e-5)
