"""What only a GPU can show; skipped where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hubscan import encoders
from hubscan.extract import extract
from hubscan.scores import transrate
from tests.test_encoders import PICTURES, TEXTS
from tests.test_large_features import SHAPES, made, same

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


@pytest.mark.parametrize(
    ("name", "modality", "inputs"),
    [("plain-bert", "text", TEXTS), ("tiny-vit", "image", PICTURES), ("tiny-resnet", "image", PICTURES)],
)
def test_features_on_the_gpu_are_those_of_the_cpu(
    hub_root: Path, name: str, modality: Any, inputs: list[Any]
) -> None:
    folder = hub_root / "models/tester" / name
    on_gpu, on_cpu = (extract(encoders.load(folder, modality), inputs, d) for d in ("auto", "cpu"))
    assert on_gpu.device.startswith("cuda") and on_cpu.device == "cpu"
    np.testing.assert_allclose(on_gpu.matrix, on_cpu.matrix, atol=1e-4)


@pytest.mark.parametrize(("n", "d", "classes"), SHAPES)
def test_features_that_lie_on_the_gpu_score_there_as_they_do_here(n: int, d: int, classes: int) -> None:
    features, labels = made(n, d, classes)
    before = torch.cuda.max_memory_allocated()
    same(transrate(torch.tensor(features, device="cuda"), labels), transrate(features, labels))
    assert torch.cuda.max_memory_allocated() > before + features.nbytes
