"""The vision encoder of every family, on a tiny random checkpoint each."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CONFIG_MAPPING, AutoImageProcessor, AutoModel, AutoModelForImageClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

from hubscan import encoders, extract
from hubscan.records import EncodingRequest
from tests.families.family import Family
from tests.families.image import CLASSIFIED_OTHERWISE, FAMILIES, ROWS
from tests.families.made import Made
from tests.families.properties import CLOSE, features_are_right, layers_are_right, rows_are_independent

every_family = pytest.mark.parametrize("family", FAMILIES, ids=str, scope="module")


@every_family
def test_features_are_those_of_each_picture_alone(family: Family, made: Made) -> None:
    features_are_right(family, made(family), ROWS)


@every_family
def test_features_do_not_depend_on_the_company(
    family: Family, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_are_independent(family, made(family), ROWS, monkeypatch)


@every_family
def test_layers_are_the_hidden_states(family: Family, made: Made) -> None:
    layers_are_right(family, made(family), ROWS)


@every_family
def test_half_a_precision_is_enough(family: Family, made: Made) -> None:
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
def test_the_mean_is_of_patches_alone(name: str, made: Made) -> None:
    folder = made(next(family for family in FAMILIES if family.model_type == name))
    encoder = encoders.load(folder, "image", EncodingRequest(pooling="mean"))
    found = extract.extract(encoder, ROWS[:1], "cpu").matrix
    batch = encoder.prepare(ROWS[:1]).batch([0])
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder).eval()(**batch).last_hidden_state
    np.testing.assert_allclose(found, states[:, -16:].mean(1), atol=1e-5)


@pytest.mark.parametrize(
    "family", [f for f in FAMILIES if f.model_type in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES], ids=str
)
def test_features_are_what_the_classifier_of_the_family_reads(family: Family, tmp_path: Path) -> None:
    family.make(tmp_path, loader=AutoModelForImageClassification)  # type: ignore[call-arg]
    model = AutoModelForImageClassification.from_pretrained(tmp_path, dtype=torch.float32).eval()
    processor = AutoImageProcessor.from_pretrained(tmp_path)
    read: list[torch.Tensor] = []
    linear = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
    classifier = [part for part in linear if part.out_features == model.num_labels][-1]
    classifier.register_forward_pre_hook(lambda _, given: read.append(given[0].flatten(1)))
    with torch.no_grad():
        for row in ROWS:
            assert isinstance(row, bytes)
            model(**processor(Image.open(io.BytesIO(row)).convert("RGB"), return_tensors="pt"))
    found = extract.extract(encoders.load(tmp_path, "image"), ROWS, "cpu").matrix
    expected = torch.cat(read).numpy()
    same = found.shape == expected.shape and np.allclose(found, expected, atol=CLOSE)
    assert same == (family.model_type not in CLASSIFIED_OTHERWISE)


def test_a_beit_that_was_pooled_by_its_class_token_is_read_so(tmp_path: Path) -> None:
    family = next(family for family in FAMILIES if family.model_type == "beit")
    family.make(tmp_path)
    AutoModel.from_pretrained(tmp_path, use_mean_pooling=False).save_pretrained(tmp_path)
    encoder = encoders.load(tmp_path, "image")
    assert str(encoder.pooling) == "cls (convention)"
