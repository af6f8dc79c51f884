"""What only a GPU can show; skipped where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from hubscan import encoders, extract
from hubscan.errors import CheckpointError
from hubscan.finetune.candidate import tuned
from hubscan.records import Candidate, Features, Input, Job, Modality, Training, Tuned
from hubscan.scores import linear_head, transrate
from tests.families import audio, image, text
from tests.families.family import Family
from tests.families.made import Made
from tests.families.properties import CLOSE
from tests.hub.words import sentence
from tests.support.commands import Cli
from tests.support.features import SHAPES, same, separated
from tests.support.images import IMAGES
from tests.support.samples import sample
from tests.support.texts import TEXTS, sentences

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]


def features(folder: Path, rows: Any, device: str, modality: Modality = "text", **how: Any) -> Features:
    torch.manual_seed(1)  # of weights that are made up
    return extract.extract(encoders.load(folder, modality, **how), rows, device)


def rows_of(family: Family) -> list[Input]:
    if family.modality == "audio":
        return audio.rows_of(family)
    return text.ROWS if family.modality == "text" else image.ROWS


# -- features -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [*text.FAMILIES, *image.FAMILIES, *audio.FAMILIES], ids=str)
def test_features_on_the_gpu_are_those_of_the_cpu(family: Family, made: Made) -> None:
    folder, rows = made(family), rows_of(family)
    on_cpu, on_gpu = (features(folder, rows, device, family.modality) for device in ("cpu", "auto"))
    assert on_gpu.device.startswith("cuda") and on_cpu.device == "cpu"
    np.testing.assert_allclose(on_gpu.matrix, on_cpu.matrix, atol=CLOSE, rtol=CLOSE)
    assert on_gpu.untrained == on_cpu.untrained


@pytest.mark.parametrize(("name", "rows"), [("plain-bert", TEXTS), ("tiny-vit", IMAGES)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_a_precision_is_enough_there_too(hub_root: Path, name: str, rows: Any, dtype: Any) -> None:
    folder = hub_root / "models/tester" / name
    modality: Modality = "text" if rows is TEXTS else "image"
    whole = features(folder, rows, "cpu", modality)
    half = features(folder, rows, "auto", modality, dtype=dtype)
    assert half.dtype == dtype
    assert 0 < np.abs(half.matrix - whole.matrix).max() < 0.1


def test_words_are_read_there_as_they_are_here(hub_root: Path) -> None:
    texts = [tuple(words) for words in sentences(20)]
    places = np.array([(row, word) for row, words in enumerate(texts) for word in range(len(words))])
    folder = hub_root / "models/tester/plain-bert"
    on_cpu, on_gpu = (features(folder, texts, device, places=places).matrix for device in ("cpu", "auto"))
    np.testing.assert_allclose(on_gpu, on_cpu, atol=CLOSE)


def test_a_batch_that_does_not_fit_the_gpu_is_halved(hub_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = hub_root / "models/tester/plain-bert"
    rows: list[Any] = [sentence(0, Random(number)) for number in range(20_000)]
    expected = features(folder, rows[:50], "cpu").matrix
    monkeypatch.setattr(extract, "GPU_BATCH_TOKENS", 10**9)
    with little_memory(100 << 20):
        found = features(folder, rows, "auto").matrix
        assert torch.cuda.max_memory_allocated() < 100 << 20
    np.testing.assert_allclose(found[:50], expected, atol=CLOSE)


def test_what_does_not_fit_the_gpu_at_all_is_said_so(hub_root: Path) -> None:
    folder = hub_root / "models/tester/plain-bert"
    with little_memory(1), pytest.raises(CheckpointError, match="fit in memory"):
        features(folder, TEXTS, "auto")


class little_memory:
    """Within the block this process has so many bytes of the GPU, in what torch allocates by."""

    def __init__(self, size: int) -> None:
        self.share = size / torch.cuda.get_device_properties(0).total_memory

    def __enter__(self) -> None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.set_per_process_memory_fraction(self.share)

    def __exit__(self, *_: object) -> None:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize(("n", "d", "classes"), SHAPES)
def test_features_that_lie_on_the_gpu_score_there_as_they_do_here(n: int, d: int, classes: int) -> None:
    matrix, labels = separated(n, d, classes)
    before = torch.cuda.max_memory_allocated()
    same(transrate(torch.tensor(matrix, device="cuda"), labels), transrate(matrix, labels))
    assert torch.cuda.max_memory_allocated() > before + matrix.nbytes


@pytest.mark.parametrize(("n", "d", "classes"), SHAPES)
@pytest.mark.parametrize("size", [None, 3, 40])
def test_the_linear_head_on_the_gpu_is_that_of_the_cpu(
    n: int, d: int, classes: int, size: int | None
) -> None:
    matrix, labels = separated(n, d, classes)
    groups = None if size is None else np.arange(n) // size
    here = linear_head(matrix, labels, groups=groups)
    there = linear_head(torch.tensor(matrix, device="cuda"), labels, groups=groups)
    assert there.ridge == pytest.approx(here.ridge, rel=1e-8)
    assert there.left_out == pytest.approx(here.left_out, abs=1e-8)
    for one, other in zip(there.coefficients(), here.coefficients(), strict=True):
        assert one == pytest.approx(other, abs=1e-8)


# -- fine-tuning ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["full", "lora", "head"])
@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_a_checkpoint_is_fine_tuned_on_the_gpu(hub_root: Path, how: Any, precision: Any) -> None:
    texts = tuple(" ".join(words) for words in sentences(200))
    labels = [int("warm" in words or "bright" in words) for words in texts]
    given = replace(sample(labels), inputs={"text": texts})
    candidate = Candidate(str(hub_root / "models/tester/seeing-bert"), "sha", "text", local=True)
    training = Training(how=how, rates=(1e-3,), epochs=6, precision=precision)
    here, there = (trained(candidate, given, training, device) for device in ("cpu", "auto"))
    assert there.device.startswith("cuda") and here.device == "cpu"
    assert there.start == pytest.approx(here.start, abs=0.03)
    assert there.value >= max(here.value - 0.1, there.start - 0.05)


@pytest.mark.parametrize("model", ["tiny-vit", "tiny-resnet"])
def test_pictures_are_fine_tuned_on_the_gpu_twice_alike(hub_root: Path, model: str) -> None:
    given = replace(sample([0, 1, 2] * 20), inputs={"image": tuple(image.picture(i) for i in range(60))})
    candidate = Candidate(str(hub_root / "models/tester" / model), "sha", "image", local=True)
    once, again = (trained(candidate, given, Training(rates=(1e-3,), epochs=3), "auto") for _ in range(2))
    assert once.predictions == again.predictions


def trained(candidate: Candidate, given: Any, training: Training, device: str) -> Tuned:
    """Fine-tune, and let the next one choose its device: an `Accelerator` keeps a process to the first."""
    try:
        found = tuned(candidate, given, Job(training=training), device, lambda *_: None)
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    assert isinstance(found, Tuned), found
    return found


# -- commands -------------------------------------------------------------------------------------


def test_a_scan_and_its_fine_tuning_on_the_gpu_say_what_they_say_on_the_cpu(cli: Cli) -> None:
    models = [f"--model=tester/{name}" for name in ("seeing-bert", "blind-bert", "half-bert")]
    answers = {}
    for device in ("cpu", "auto"):
        done = cli("rank", "--dataset", "tester/reviews", *models, "--samples", "100", "--device", device,
                   "--run", device, "--format", "json")  # fmt: skip
        assert done.returncode == 0, done.stderr
        answers[device] = json.loads(done.stdout)
    here, there = answers["cpu"], answers["auto"]
    assert here["provenance"]["device"] == "cpu" and there["provenance"]["device"].startswith("cuda")
    assert [one["model"] for one in there["ranking"]] == [one["model"] for one in here["ranking"]]
    for one, other in zip(there["ranking"], here["ranking"], strict=True):
        for name, score in one["scores"].items():
            assert score["value"] == pytest.approx(other["scores"][name]["value"], abs=0.01), name
        assert 0 < one["cost"]["peak_bytes"] < 1 << 30
    verified = cli("verify", "auto", "--format", "json")
    assert verified.returncode == 0, verified.stderr
    best = json.loads(verified.stdout)["tuned"][0]
    assert best["model"] == "tester/seeing-bert" and best["device"].startswith("cuda")


def test_doctor_names_the_gpu(cli: Cli) -> None:
    assert torch.cuda.get_device_name() in cli("doctor").stdout


def test_a_gpu_that_is_not_there_is_one_line(cli: Cli) -> None:
    done = cli("rank", "--dataset", "tester/reviews", "--model", "tester/plain-bert", "--device", "cuda:99")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: device cuda:99: this machine, or its torch, has no CUDA device"
    )
