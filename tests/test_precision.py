"""What checkpoints compute in, and which weights may be missing or left over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from hubscan import encoders, extract
from hubscan.encoders.precision import precision
from hubscan.errors import CheckpointError
from hubscan.finetune.precision import fastest, mixed
from hubscan.records import Training
from tests.hub import LabHub
from tests.support.commands import Cli
from tests.support.images import IMAGES

TEXTS = ["warm and bright", "a cold and gloomy day", "it was"]
Tensors = dict[str, torch.Tensor]


@pytest.mark.parametrize(
    ("config", "asked", "on_gpu", "expected"),
    [
        ('{"dtype": "bfloat16"}', "auto", False, "float32"),
        ('{"dtype": "bfloat16"}', "auto", True, "bfloat16"),
        ('{"torch_dtype": "float16"}', "auto", True, "float16"),
        ('{"dtype": "float64"}', "auto", True, "float32"),
        ('{"dtype": ["bfloat16"]}', "auto", True, "float32"),
        ("{}", "auto", True, "float32"),
        ('{"dtype":', "auto", True, "float32"),
        ("[]", "auto", True, "float32"),
        ('{"dtype": "bfloat16"}', "float32", True, "float32"),
        ("{}", "float16", False, "float16"),
    ],
)
def test_what_is_asked_decides_and_auto_is_float32_but_for_halves_on_a_gpu(
    tmp_path: Path, config: str, asked: str, on_gpu: bool, expected: str
) -> None:
    (tmp_path / "config.json").write_text(config)
    assert precision(asked, tmp_path, on_gpu=on_gpu) == expected


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(("name", "modality"), [("plain-bert", "text"), ("tiny-vit", "image")])
def test_a_half_precision_is_what_the_network_computes_in(
    hub_root: Path, name: str, modality: Any, dtype: Any
) -> None:
    folder = hub_root / "models/tester" / name
    rows: Any = TEXTS if modality == "text" else IMAGES
    whole = extract.extract(encoders.load(folder, modality), rows, "cpu")
    half = extract.extract(encoders.load(folder, modality, dtype=dtype), rows, "cpu")
    assert (whole.dtype, half.dtype) == ("float32", dtype)
    assert half.matrix.dtype == np.float32
    error = np.abs(half.matrix - whole.matrix).max()
    assert 0 < error < 0.1


def test_an_overflow_is_an_error_of_its_own(hub_root: Path, tmp_path: Path) -> None:
    folder = changed(hub_root, tmp_path, overflowing)
    assert np.isfinite(extract.extract(encoders.load(folder, "text"), TEXTS, "cpu").matrix).all()
    with pytest.raises(extract.NotFinite, match="3 of 3 rows"):
        extract.extract(encoders.load(folder, "text", dtype="float16"), TEXTS, "cpu")


def test_a_layer_more_than_the_config_says_is_an_error_that_names_it(hub_root: Path, tmp_path: Path) -> None:
    def one_layer_fewer(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))

    folder = changed(hub_root, tmp_path, one_layer_fewer)
    with pytest.raises(
        CheckpointError, match=r"does not provide for: encoder\.layer\.1\.attention\.[\w.]+, .* and 13 more"
    ):
        encoders.load(folder, "text")


def test_weights_of_another_shape_are_an_error_that_names_them(hub_root: Path, tmp_path: Path) -> None:
    def wider(weights: Tensors) -> Tensors:
        return weights | {"encoder.layer.0.intermediate.dense.bias": torch.zeros(999)}

    folder = changed(hub_root, tmp_path, rewritten(wider))
    with pytest.raises(CheckpointError, match=r"encoder\.layer\.0\.intermediate\.dense\.bias"):
        encoders.load(folder, "text")


def test_heads_and_what_old_versions_wrote_beside_the_weights_are_left_aside(
    hub_root: Path, tmp_path: Path
) -> None:
    def more(weights: Tensors) -> Tensors:
        return weights | {
            "cls.predictions.bias": torch.zeros(4),
            "classifier.weight": torch.zeros(2, 32),
            "embeddings.position_ids": torch.arange(64)[None],
        }

    folder = changed(hub_root, tmp_path, rewritten(more))
    before = extract.extract(encoders.load(hub_root / "models/tester/plain-bert", "text"), TEXTS, "cpu")
    after = extract.extract(encoders.load(folder, "text"), TEXTS, "cpu")
    np.testing.assert_array_equal(after.matrix, before.matrix)


def test_a_scan_computes_again_in_float32_what_overflows_and_skips_what_does_not_recover(
    hub: LabHub, hub_root: Path, cli: Cli, tmp_path: Path
) -> None:
    folder = changed(hub_root, tmp_path, overflowing)
    chosen = [f"--model={name}" for name in (folder, "tester/plain-bert", "broken/nan")]
    small = ("--samples", "40", "--device", "cpu", "--dtype", "float16", "--layers", "mean")
    done = cli("rank", "--dataset", "tester/reviews", *chosen, *small, "--format", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {entry["layer"] for entry in answer["ranking"]} == {"mean"}
    assert answer["provenance"]["dtype"] in ("float16, float32", "float32, float16")
    assert [(skip["model"], skip["stage"]) for skip in answer["skipped"]] == [("broken/nan", "embed")]
    assert "40 of 40 rows" in answer["skipped"][0]["reason"]


def overflowing(folder: Path) -> None:
    """Give one layer sums beyond 65,504, which the normalisation behind it brings down again."""
    rewritten(lambda weights: {
        name: value * 1e6 if name == "encoder.layer.1.output.dense.weight" else value
        for name, value in weights.items()
    })(folder)  # fmt: skip


def changed(hub_root: Path, tmp_path: Path, change: Callable[[Path], None]) -> Path:
    folder = tmp_path / "checkpoint"
    shutil.copytree(hub_root / "models/tester/plain-bert", folder)
    change(folder)
    return folder


def rewritten(change: Callable[[Tensors], Tensors]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file(change(load_file(file)), file, metadata={"format": "pt"})

    return rewrite


def test_training_in_mixed_precision_is_for_what_the_device_does_well() -> None:
    maps, patches, convolutions = nn.Linear(4, 4), nn.Conv2d(3, 8, 2), nn.Conv2d(8, 8, 3)
    cpu = torch.device("cpu")
    plain, halves = Training(), Training(precision="mixed")
    x = torch.ones(1, 4)
    with mixed(plain, maps, cpu):
        assert maps(x).dtype == torch.float32
    with mixed(halves, nn.Sequential(patches, maps), cpu):
        assert maps(x).dtype == torch.bfloat16
    with mixed(halves, nn.Sequential(patches, convolutions, maps), cpu):
        assert maps(x).dtype == torch.float32


def test_no_device_is_taken_to_multiply_bfloat16_that_does_not_say_so(monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert fastest(torch.device("cpu")) == "mixed"
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert fastest(torch.device("cpu")) == "float32"
    assert fastest(torch.device("mps")) == "float32"
