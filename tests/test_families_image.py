"""The image encoder of every family, on a tiny random checkpoint each."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

from hubscan import encoders, extract
from hubscan.records import Input
from tests.families.family import Family
from tests.families.image import CLASSIFIED_OTHERWISE, FAMILIES
from tests.families.properties import CLOSE, features_are_right, layers_are_right, rows_are_independent


def picture(seed: int, width: int, height: int) -> bytes:
    """Return a picture of blots."""
    blots = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype("uint8")
    file = io.BytesIO()
    Image.fromarray(blots).resize((width, height), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


ROWS: list[Input] = [picture(i, *size) for i, size in enumerate([(32, 32), (50, 40), (36, 90), (64, 64)])]

every_family = pytest.mark.parametrize("family", FAMILIES, ids=str)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Family], Path]:
    """Return the folder of a family's checkpoint, made when it is first asked for."""
    folders: dict[int, Path] = {}

    def folder(family: Family) -> Path:
        if id(family) not in folders:
            folders[id(family)] = tmp_path_factory.mktemp(family.model_type)
            family.make(folders[id(family)])
        return folders[id(family)]

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
