"""Checkpoints that cannot be used are left out before their weights are requested, with the reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.auto import configuration_auto, image_processing_auto, modeling_auto

from hubscan.demo.hub import serve
from hubscan.errors import CheckpointError
from hubscan.hub import architectures, eligibility
from hubscan.media import torchvision
from tests.families.image import FAMILIES as IMAGE_FAMILIES
from tests.families.text import FAMILIES as TEXT_FAMILIES
from tests.hub import LabHub
from tests.hub.fixtures import command, lab_hub

WEIGHTS: Final = "model.safetensors"
Change = Mapping[str, Any]

BROKEN: Final[Mapping[str, tuple[str, Change, str]]] = {
    # name: what it is made of, files that are other ones (None: gone; an object: merged into the old), reason
    "text/adapter": ("plain-bert", {"card": {"base_model": "a/b", "base_model_relation": "adapter"}}, "an adapter"),
    "text/adapter-files": ("plain-bert", {WEIGHTS: None, "adapter_config.json": {}}, "an adapter"),
    "text/peft": ("plain-bert", {"card": {"library_name": "peft"}}, "an adapter"),
    "text/gptq": ("plain-bert", {"card": {"tags": ["gptq"]}}, r"quantised \(GPTQ\)"),
    "text/quantised": (
        "plain-bert", {"config.json": {"quantization_config": {"quant_method": "fp8"}}}, r"quantised \(fp8\)",
    ),
    "text/gguf": ("plain-bert", {WEIGHTS: None, "model.Q4.gguf": {}}, "GGUF weights"),
    "text/onnx": ("plain-bert", {WEIGHTS: None, "onnx/model.onnx": {}}, "ONNX weights"),
    "text/code": ("plain-bert", {"config.json": {"auto_map": {"AutoModel": "a.B"}}}, "needs custom code"),
    "text/future": ("plain-bert", {"config.json": {"model_type": "quantumformer"}}, "does not know"),
    "text/pickle": ("plain-bert", {WEIGHTS: None, "pytorch_model.bin": {}}, "no safetensors weights"),
    "text/diffusion": ("plain-bert", {"card": {"library_name": "diffusers"}}, "diffusion"),
    "text/player": ("plain-bert", {"config.json": {"model_type": "decision_transformer"}}, "is a reinforcement learning policy, not an encoder"),
    "text/speaker": ("plain-bert", {"config.json": {"model_type": "fastspeech2_conformer"}}, "is a text-to-speech model, not an encoder"),
    "text/images": ("tiny-vit", {}, "vit is not a supported text encoder"),
    "image/torchvision": (
        "tiny-vit",
        {"preprocessor_config.json": {"image_processor_type": "DINOv3ViTImageProcessorFast"}},
        "its DINOv3ViTImageProcessor needs torchvision",
    ),
    "image/torchvision-by-type": (
        "tiny-vit",
        {"config.json": {"model_type": "dinov3_vit"}, "preprocessor_config.json": {"image_processor_type": None}},
        "its DINOv3ViTImageProcessor needs torchvision",
    ),
    "image/timm": ("tiny-vit", {"card": {"library_name": "timm"}}, "timm"),
    "image/code": ("tiny-vit", {"preprocessor_config.json": {"auto_map": {"a": "b"}}}, "needs custom code"),
    "image/silent": ("tiny-vit", {"preprocessor_config.json": None}, "no preprocessor_config.json"),
    "image/boxes": ("tiny-vit", {"config.json": {"model_type": "detr"}}, "detr is an object detection model, not an encoder"),
    "image/masks": ("tiny-vit", {"config.json": {"model_type": "sam"}}, "sam is a segmentation model, not an encoder"),
    "image/writer": ("tiny-vit", {"config.json": {"model_type": "llava"}}, "llava is a vision-language model, not an encoder"),
    "image/part": ("tiny-vit", {"config.json": {"model_type": "blip_vision_model"}}, "has no encoder"),
}  # fmt: skip
KEYS: Final = ("model_type", "auto_map", "quantization_config", "architectures")
SCALARS: Final = st.none() | st.booleans() | st.text() | st.sampled_from(["bert", "vit", "detr", "clip"])
GOOD: Final = {"text": "tester/plain-bert", "image": "tester/tiny-vit"}
DATA: Final = {"text": "tester/reviews", "image": "tester/colours"}


@pytest.fixture(scope="module")
def broken_hub(hub_root: Path) -> Iterator[LabHub]:
    """A Hub with a repository for each of `BROKEN`."""
    hub = lab_hub(hub_root)
    for name, (origin, changes, _) in BROKEN.items():
        folder = hub_root / "models/tester" / origin
        files: dict[str, bytes | None] = {
            str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()
        }
        for path, change in changes.items():
            if path == "card":
                files["README.md"] = f"---\n{json.dumps(change)}\n---\n".encode()
            elif change is None:
                files[path] = None
            else:
                before = json.loads(files.get(path) or b"{}")
                files[path] = json.dumps(before | change).encode()
        hub.commit("models", name, files)
    with serve(hub):
        yield hub
    hub.close()


def run(hub: LabHub, folder: Path, *arguments: str) -> Any:
    return json.loads(command(hub, folder, *arguments))


@pytest.mark.parametrize("modality", ["text", pytest.param("image", marks=pytest.mark.slow)])
def test_of_what_cannot_be_used_no_weights_are_asked_for(
    broken_hub: LabHub, tmp_path: Path, modality: str
) -> None:
    usable_here = "torchvision" if torchvision.installed() else "nothing"
    named = [name for name in BROKEN if name.startswith(modality) and usable_here not in name]
    before = len(broken_hub.requests)
    chosen = [f"--model={name}" for name in (*named, GOOD[modality])]
    small = ("--samples", "40", "--device", "cpu")
    answer = run(broken_hub, tmp_path, "rank", "--dataset", DATA[modality], *chosen, *small)
    said = {skip["model"]: skip["reason"] for skip in answer["skipped"]}
    assert set(said) == set(named)
    for name, why in said.items():
        assert re.search(BROKEN[name][2], why), (name, why)
    weights = [one.path for one in broken_hub.requests[before:] if one.path.endswith(WEIGHTS)]
    assert weights and all(GOOD[modality] in path for path in weights)


@pytest.mark.parametrize("installed", [True, False])
def test_a_processor_for_torchvision_alone_is_a_reason_only_where_it_is_not_installed(
    hub_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    shutil.copytree(hub_root / "models/tester/tiny-vit", tmp_path, dirs_exist_ok=True)
    named = {"image_processor_type": "DINOv3ViTImageProcessorFast"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(named))
    monkeypatch.setattr(torchvision, "installed", lambda: "0.28" if installed else None)
    if installed:
        eligibility.check(tmp_path, "image")
        return
    with pytest.raises(CheckpointError, match="its DINOv3ViTImageProcessor needs torchvision: pip install"):
        eligibility.check(tmp_path, "image")


def test_search_shows_the_reason(broken_hub: LabHub, tmp_path: Path) -> None:
    rows = run(broken_hub, tmp_path, "search", "--modality", "image", "--limit", "100")
    said = {row["model"]: row["excluded"] for row in rows}
    assert "detr is an object detection model" in said["image/boxes"]
    assert said["tester/tiny-vit"] is None


def test_a_checkpoint_costs_one_question_and_a_visit_to_each_file(broken_hub: LabHub, tmp_path: Path) -> None:
    before = len(broken_hub.requests)
    run(
        broken_hub, tmp_path, "rank", "--dataset", "tester/colours", "--model", "tester/tiny-vit",
        "--samples", "40", "--device", "cpu",
    )  # fmt: skip
    asked = [one for one in broken_hub.requests[before:] if "tiny-vit" in one.path]
    questions = [one.path for one in asked if one.path.startswith("/api/")]
    assert len(questions) == 2, questions  # which commit, and which files it has
    files = {one.path for one in asked} - set(questions)
    assert len(files) == 3  # config, preprocessor and weights
    assert len(asked) <= len(questions) + 2 * len(files)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"model_type": "bert",', "cannot be read: "),
        (b"[1]", "is not a JSON object"),
        (b"\xff{}", "cannot be read: "),
        (b"[" * 100_000, "cannot be read: "),
    ],
)
def test_a_config_that_is_none_ends_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"config.json {said}"):
        eligibility.check(tmp_path, "text")


@settings(deadline=None)  # the first reads the tables
@given(
    st.dictionaries(
        st.sampled_from(KEYS), st.recursive(SCALARS, lambda c: st.lists(c) | st.dictionaries(st.text(), c))
    )
)
def test_whatever_a_config_says_there_is_a_reason_or_none(config: Any) -> None:
    for modality in ("text", "image", "audio"):
        found = eligibility.reason(config, modality)
        assert found is None or (isinstance(found, str) and found)


# -- what transformers knows --------------------------------------------------------------------


def test_the_tables_of_transformers_are_read_as_it_has_them() -> None:
    named = [f"MODEL_FOR_{name}" for name in (*eligibility.FOR_OTHER_TASKS, *eligibility.FOR_IMAGES)]
    tables = {
        "CONFIG": configuration_auto,
        "IMAGE_PROCESSOR": image_processing_auto,
        **dict.fromkeys(["MODEL", *named], modeling_auto),
    }
    for name, module in tables.items():
        assert architectures.table(name) == dict(getattr(module, f"{name}_MAPPING_NAMES"))


def test_reading_the_tables_imports_no_transformers() -> None:
    code = (
        "import sys; from hubscan.hub import eligibility; assert eligibility.reason({'model_type': 'x'}, 'text');"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_is_unusable_where_the_tables_are_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "_tables", dict)
    assert eligibility.reason({"model_type": "quantumformer"}, "text") is None


@pytest.mark.parametrize("family", [*IMAGE_FAMILIES, *TEXT_FAMILIES], ids=str)
def test_no_family_that_is_answered_for_is_left_out(family: Any) -> None:
    assert eligibility.reason({"model_type": family.model_type}, family.modality) is None
