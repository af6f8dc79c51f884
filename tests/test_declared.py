"""What a checkpoint declares, whatever its files hold; and static embeddings, by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from hubscan import encoders, extract
from hubscan.encoders.declared import Declaration, declaration
from hubscan.encoders.pooling import pool
from hubscan.encoders.prompts import choose_prompt
from hubscan.encoders.readout import readout
from hubscan.errors import CheckpointError
from hubscan.hub.listing import named
from hubscan.records import EncodingRequest, Query
from tests.families.text import WORDS, model2vec
from tests.hub import LabHub, environment, run_python
from tests.hub.words import VOCABULARY

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(["Transformer", "Pooling", "Normalize", "Dense", "LayerNorm", "Dropout", "CNN"])
ENTRY = st.fixed_dictionaries(
    {"type": KINDS.map("sentence_transformers.models.{}".format), "path": st.text(max_size=8)}
)
POOLING_KEYS = st.sampled_from(["pooling_mode", "pooling_mode_cls_token", "include_prompt", "in_features"])


@given(
    listed=ANY_JSON | st.lists(ENTRY, max_size=4),
    pooling=ANY_JSON | st.dictionaries(POOLING_KEYS, ANY_JSON),
    settings=ANY_JSON | st.dictionaries(st.sampled_from(["prompts", "default_prompt_name"]), ANY_JSON),
)
def test_whatever_the_files_hold_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, listed: Any, pooling: Any, settings: Any
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    for name, content in {
        "modules.json": listed,
        "config.json": pooling,
        "config_sentence_transformers.json": settings,
        "sentence_bert_config.json": settings,
    }.items():
        (folder / name).write_text(json.dumps(content))
    try:
        found = declaration(folder)
        readout(found)
        assert isinstance(choose_prompt("auto", found), str)
    except CheckpointError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("asked", "default", "prompt"),
    [
        ("auto", None, "labels: "),
        ("auto", "query", "q: "),
        ("auto", "gone", ""),
        ("none", "query", ""),
        ("query", None, "q: "),
        ("two words", None, "2: "),
        ("passage", "query", ""),
        ("passage:", None, "passage:"),
        ("passage ", None, "passage "),
        ("What is it?", None, "What is it?"),
    ],
)
def test_which_prompt_is_chosen(asked: str, default: str | None, prompt: str) -> None:
    prompts = {"query": "q: ", "Classification": "labels: ", "two words": "2: "}
    assert choose_prompt(asked, Declaration(Path(), prompts=prompts, default_prompt=default)) == prompt


@pytest.mark.parametrize("side", ["left", "right"])
def test_weighted_and_root_means_by_hand(side: str) -> None:
    rows = [torch.randn(length, 4, generator=torch.Generator().manual_seed(0)) for length in (5, 2)]
    padded, mask = torch.full((2, 6, 4), 100.0), torch.zeros(2, 6, dtype=torch.long)
    for i, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(6 - len(row), 6)
        padded[i, place], mask[i, place] = row, 1
    weighted = [
        sum((n + 1) * state for n, state in enumerate(row)) / sum(range(len(row) + 1)) for row in rows
    ]
    rooted = [row.sum(0) / len(row) ** 0.5 for row in rows]
    torch.testing.assert_close(pool(padded, mask, "weighted-mean"), torch.stack(weighted))
    torch.testing.assert_close(pool(padded, mask, "sqrt-mean"), torch.stack(rooted))
    both = torch.cat([torch.stack(rooted), torch.stack([row[0] for row in rows])], dim=1)
    torch.testing.assert_close(pool(padded, mask, "sqrt-mean+cls"), both)


TEXTS = ["warm bright good", "dull unheard dull", "a " * 600 + "warm " * 9]


def mean(vectors: torch.Tensor, words: list[str]) -> torch.Tensor:
    """The mean of the vectors of the known *words*."""
    return torch.stack([vectors[WORDS[word]] for word in words if word in WORDS]).mean(0)


def test_static_embeddings_are_the_mean_of_the_known_words_of_a_text_that_is_cut(tmp_path: Path) -> None:
    folder, vectors = model2vec(tmp_path / "table")
    encoder = encoders.load(folder, "text")
    expected = torch.stack([mean(vectors, text.split()[:512]) for text in TEXTS])
    np.testing.assert_allclose(extract.extract(encoder, TEXTS, "cpu").matrix, expected.numpy(), atol=1e-5)
    assert (str(encoder.pooling), encoders.parameters(encoder)) == ("mean (declared)", vectors.numel())
    longer, _ = model2vec(tmp_path / "longer", max_length=605, normalize=True)
    found = extract.extract(encoders.load(longer, "text"), TEXTS, "cpu").matrix
    unit = torch.nn.functional.normalize(mean(vectors, TEXTS[2].split()[:605]), dim=0)
    np.testing.assert_allclose(found[2], unit.numpy(), atol=1e-5)
    shorter = encoders.load(folder, "text", EncodingRequest(max_length=2))
    assert max(shorter.prepare(TEXTS).lengths) == 2


def test_a_text_without_a_known_word_is_all_zeros(tmp_path: Path) -> None:
    folder, _ = model2vec(tmp_path / "table", normalize=True)
    found = extract.extract(encoders.load(folder, "text"), ["unheard", "warm"], "cpu").matrix
    assert not found[0].any() and found[1].any()


def test_a_table_of_clusters_has_a_vector_and_a_weight_for_each_token(tmp_path: Path) -> None:
    folder, vectors = model2vec(tmp_path / "table")
    mapping, weights = torch.arange(len(WORDS)) % 7, torch.rand(len(WORDS))
    save_file(
        {"embeddings": vectors[:7].half(), "mapping": mapping, "weights": weights.double()},
        folder / "model.safetensors",
    )
    found = extract.extract(encoders.load(folder, "text"), list(VOCABULARY), "cpu").matrix
    ids = torch.tensor([WORDS[word] for word in VOCABULARY])
    expected = vectors[:7].half().float()[mapping[ids]] * weights[ids, None]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_both_texts_of_a_pair_are_in_a_static_vector(tmp_path: Path) -> None:
    folder, vectors = model2vec(tmp_path / "table")
    found = extract.extract(encoders.load(folder, "text"), [("warm good", "dull")], "cpu").matrix
    np.testing.assert_allclose(found[0], mean(vectors, ["warm", "good", "dull"]).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"request": EncodingRequest(layers="each")}, "--layers last"),
        ({"request": EncodingRequest(pooling="cls")}, "--pooling mean"),
        ({"places": np.array([[0, 0]])}, "not for each word"),
    ],
)
def test_what_static_embeddings_do_not_have_is_refused(
    tmp_path: Path, how: dict[str, Any], said: str
) -> None:
    folder, _ = model2vec(tmp_path / "table")
    with pytest.raises(CheckpointError, match=said):
        encoders.load(folder, "text", **how)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"other": torch.zeros(2, 2)}, "no embedding table"),
        ({"embeddings": torch.zeros(2)}, "no embedding table"),
    ],
)
def test_a_file_without_a_table_is_refused(
    tmp_path: Path, weights: dict[str, torch.Tensor], said: str
) -> None:
    folder, _ = model2vec(tmp_path / "table")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=said):
        encoders.load(folder, "text")


def test_a_table_with_too_few_vectors_is_refused(tmp_path: Path) -> None:
    folder, _ = model2vec(tmp_path / "table")
    save_file({"embeddings": torch.zeros(3, 4)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"has \d+ tokens, its embedding table 3 rows"):
        encoders.load(folder, "text").prepare(["warm bright good"])


EMBED = """
import json, os, hubscan
texts = ["warm and bright", "poor and dull on a street"]
found = {name: hubscan.embed(os.environ[name], texts) for name in ("HERE", "THERE")}
print(json.dumps({"apart": float(abs(found["HERE"] - found["THERE"]).max()), "shape": found["THERE"].shape}))
"""


def test_the_folders_of_modules_are_fetched_and_no_others(
    own_hub: LabHub, hub_root: Path, tmp_path: Path
) -> None:
    inner = tmp_path / "st/0_Transformer"
    shutil.copytree(hub_root / "models/tester/sentence-bert", inner)
    (inner / "modules.json").unlink()
    shutil.move(inner / "1_Pooling", inner.parent / "1_Pooling")
    dense = inner.parent / "12_Dense"
    dense.mkdir()
    linear = torch.nn.Linear(32, 6)
    save_file(
        {f"linear.{name}": weight for name, weight in linear.state_dict().items()},
        dense / "model.safetensors",
    )
    (dense / "config.json").write_text(json.dumps({"in_features": 32, "out_features": 6}))
    paths = {"Transformer": "0_Transformer", "Pooling": "1_Pooling", "Dense": "12_Dense"}
    listed = [{"type": f"sentence_transformers.models.{kind}", "path": path} for kind, path in paths.items()]
    (inner.parent / "modules.json").write_text(json.dumps(listed))
    files = {
        str(file.relative_to(inner.parent)): file.read_bytes()
        for file in inner.parent.rglob("*")
        if file.is_file()
    }
    decoys = dict.fromkeys(
        ("onnx/model.onnx", "0_Transformer/pytorch_model.bin", "fp16/model.safetensors"), b"0" * 99
    )
    own_hub.commit("models", "tester/old", files | decoys)
    variables = environment(own_hub.endpoint, tmp_path / "home")
    told = json.loads(
        run_python(EMBED, variables | {"HERE": str(inner.parent), "THERE": "tester/old"}).stdout
    )
    assert told["apart"] == 0 and told["shape"] == [2, 6]
    cached = {file.name for file in (tmp_path / "home").rglob("*") if file.is_file()}
    assert not cached & {"model.onnx", "pytorch_model.bin"}


def test_what_decides_the_features_is_the_revision_of_a_local_checkpoint(tmp_path: Path) -> None:
    folder, _ = model2vec(tmp_path / "table")
    revisions = []
    for name, content in {
        "modules.json": "[]",
        "config_sentence_transformers.json": "{}",
        "2_Dense/config.json": "{}",
    }.items():
        revisions.append(next(iter(named([str(folder)], Query(), "text"))).revision)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    assert len(set(revisions)) == 3
