from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from hubscan import encoders
from hubscan.encoders.pooling import pool
from hubscan.errors import CheckpointError
from hubscan.extract import extract
from hubscan.media import torchvision
from hubscan.records import EncodingRequest
from tests.support.images import IMAGES as PICTURES
from tests.support.texts import TEXTS

WITHOUT_TORCHVISION = pytest.mark.skipif(bool(torchvision.installed()), reason="torchvision is installed")


def features(folder: Path, inputs: list[Any], modality: Any = "text", **asked: Any) -> npt.NDArray[Any]:
    return extract(encoders.load(folder, modality, EncodingRequest(**asked)), inputs, "cpu").matrix


def states(folder: Path, text: str, limit: int) -> torch.Tensor:
    """The last layer's states of one text, straight from transformers, without any padding."""
    tokens = AutoTokenizer.from_pretrained(folder)(
        text, truncation=True, max_length=limit, return_tensors="pt"
    )
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        found: torch.Tensor = model(**tokens).last_hidden_state[0]
    return found


@pytest.mark.parametrize(
    ("name", "limit"), [("plain-bert", 64), ("roberta", 64), ("half-bert", 64), ("mlm-bert", 64)]
)
def test_text_features_are_the_mean_of_the_token_states_of_each_text_alone(
    hub_root: Path, name: str, limit: int
) -> None:
    folder = hub_root / "models/tester" / name
    expected = np.stack([states(folder, text, limit).mean(0).numpy() for text in TEXTS])
    found = features(folder, TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_a_sentence_transformers_checkpoint_declares_is_done_and_said(hub_root: Path) -> None:
    folder = hub_root / "models/tester/sentence-bert"
    encoder = encoders.load(folder, "text")
    assert str(encoder.pooling) == "cls (declared)"
    assert max(encoder.prepare(TEXTS).lengths) == 16
    expected = np.stack([states(folder, text, 16)[0].numpy() for text in TEXTS])
    np.testing.assert_allclose(extract(encoder, TEXTS, "cpu").matrix, expected, atol=1e-5)


def test_an_asked_pooling_wins_over_the_declared_one(hub_root: Path) -> None:
    folder = hub_root / "models/tester/sentence-bert"
    assert str(encoders.load(folder, "text", EncodingRequest(pooling="mean")).pooling) == "mean (asked)"


def test_a_text_longer_than_the_limit_is_cut_to_it(hub_root: Path) -> None:
    for name in ("plain-bert", "roberta"):
        prepared = encoders.load(hub_root / "models/tester" / name, "text").prepare(TEXTS)
        assert max(prepared.lengths) == 64
    short = encoders.load(hub_root / "models/tester/plain-bert", "text", EncodingRequest(max_length=7))
    assert max(short.prepare(TEXTS).lengths) == 7


def test_a_checkpoint_in_half_precision_is_computed_in_float32(hub_root: Path) -> None:
    encoder = encoders.load(hub_root / "models/tester/half-bert", "text")
    assert {weight.dtype for weight in encoder.model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("name", "modality", "inputs"), [("mlm-bert", "text", TEXTS), ("vit-classifier", "image", PICTURES)]
)
def test_a_pooler_that_is_not_in_the_file_is_refused(
    hub_root: Path, name: str, modality: Any, inputs: list[Any]
) -> None:
    folder = hub_root / "models/tester" / name
    with pytest.raises(CheckpointError, match=r"weights of its pooler are missing .*pooler.dense"):
        encoders.load(folder, modality, EncodingRequest(pooling="pooler"))
    assert np.isfinite(features(folder, inputs, modality)).all()


def test_a_pooler_that_is_in_the_file_can_be_asked_for(hub_root: Path) -> None:
    folder = hub_root / "models/tester/tiny-vit"
    found = features(folder, PICTURES, "image", pooling="pooler")
    assert np.abs(found).max() <= 1.0  # it ends in a tanh


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        ("tiny-vit", "cls (convention)"),
        ("vit-classifier", "cls (convention)"),
        ("tiny-swin", "mean (default)"),
        ("tiny-resnet", "mean (default)"),
    ],
)
def test_vision_features_are_those_of_each_picture_alone(hub_root: Path, name: str, pooling: str) -> None:
    folder = hub_root / "models/tester" / name
    encoder = encoders.load(folder, "image")
    assert str(encoder.pooling) == pooling
    processor = AutoImageProcessor.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    expected = []
    for content in PICTURES:
        picture = Image.open(io.BytesIO(content)).convert("RGB")
        with torch.no_grad():
            last = model(**processor(picture, return_tensors="pt")).last_hidden_state[0]
        if last.ndim == 3:
            expected.append(last.mean((1, 2)))
        else:
            expected.append(last[0] if pooling.startswith("cls") else last.mean(0))
    found = extract(encoder, PICTURES, "cpu").matrix
    np.testing.assert_allclose(found, torch.stack(expected).numpy(), atol=1e-5)


def test_a_feature_map_has_no_class_token_to_pool(hub_root: Path) -> None:
    with pytest.raises(CheckpointError, match="feature maps"):
        features(hub_root / "models/tester/tiny-resnet", PICTURES, "image", pooling="cls")


@pytest.mark.parametrize(
    ("name", "modality", "said"),
    [
        ("json", "text", "config.json"),
        ("truncated", "text", "model.safetensors is cut off"),
        ("unknown-type", "text", "does not recognize this architecture"),
        ("bin-only", "text", "safetensors"),
        ("custom-code", "text", "custom code|trust_remote_code"),
        ("missing-layer", "text", "weights missing from the file: encoder"),
        pytest.param("needs-torchvision", "image", "[Tt]orchvision", marks=WITHOUT_TORCHVISION),
        ("needs-fugashi", "text", "fugashi"),
    ],
)
def test_a_broken_checkpoint_is_refused_in_one_line(
    hub_root: Path, name: str, modality: Any, said: str
) -> None:
    with pytest.raises(CheckpointError, match=said) as refused:
        encoders.load(hub_root / "models/broken" / name, modality)
    assert "\n" not in str(refused.value) and str(refused.value)


def test_a_tokenizer_without_its_vocabulary_is_refused(hub_root: Path) -> None:
    with pytest.raises(CheckpointError, match="vocabulary of its tokenizer is missing"):
        encoders.load(hub_root / "models/broken/no-tokenizer", "text")


def test_features_with_nan_are_refused(hub_root: Path) -> None:
    with pytest.raises(CheckpointError, match="features of 5 of 5 rows contain NaN"):
        features(hub_root / "models/broken/nan", TEXTS)


@pytest.mark.parametrize("side", ["left", "right"])
def test_pooling_leaves_the_padding_out_on_either_side(side: str) -> None:
    rng = torch.Generator().manual_seed(0)
    rows = [torch.randn(length, 4, generator=rng) for length in (5, 2, 3)]
    padded, mask = torch.full((3, 6, 4), 100.0), torch.zeros(3, 6, dtype=torch.long)
    for i, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(6 - len(row), 6)
        padded[i, place], mask[i, place] = row, 1
    for name, expected in {
        "mean": [row.mean(0) for row in rows],
        "max": [row.amax(0) for row in rows],
        "cls": [row[0] for row in rows],
        "last": [row[-1] for row in rows],
    }.items():
        torch.testing.assert_close(pool(padded, mask, name), torch.stack(expected))


@pytest.mark.parametrize("name", ["plain-bert", "tiny-vit", "tiny-swin", "tiny-resnet"])
def test_each_layer_is_the_pooled_hidden_state_and_the_last_is_the_last(hub_root: Path, name: str) -> None:
    folder = hub_root / "models/tester" / name
    modality: Any = "text" if "bert" in name else "image"
    inputs: list[Any] = ["warm and bright"] if "bert" in name else PICTURES[:1]
    encoder = encoders.load(folder, modality, EncodingRequest(layers="each"))
    batch = encoder.prepare(inputs).batch([0])
    model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        hidden = model(**batch, output_hidden_states=True).hidden_states
        found = encoder.encode(batch)
    last = encoders.load(folder, modality)
    assert list(found) == [str(layer) for layer in range(len(hidden))]
    for states, vectors in zip(hidden[:-1], found.values(), strict=False):
        flat = states.flatten(2).transpose(1, 2) if states.ndim == 4 else states
        expected = flat[:, 0] if encoder.pooling.name == "cls" else flat.mean(1)
        torch.testing.assert_close(vectors, expected)
    with torch.no_grad():
        torch.testing.assert_close(list(found.values())[-1], last.encode(batch)["last"])
