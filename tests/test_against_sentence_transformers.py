"""What hubscan makes of a repository of sentence-transformers, against what the package itself does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, Qwen3Config, Qwen3ForCausalLM

from hubscan import encoders, extract
from hubscan.errors import CheckpointError
from hubscan.records import EncodingRequest
from tests.families.text import POSITIONS, WORDS, write_tokenizer
from tests.hub.words import sentence

st = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

CLOSE = 1e-4
DEMO = Path(__file__).parents[1] / ".demo"
REAL = ("sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-small-en-v1.5")
TEXTS = [sentence(label, Random(label)) for label in (0, 1, 2)] + ["a", "good " * 60, "Warm and BRIGHT"]

SHAPE: dict[str, Any] = {
    "vocab_size": len(WORDS),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": POSITIONS,
    "initializer_range": 0.3,
}


def ours(folder: Path, texts: list[str], **asked: Any) -> npt.NDArray[np.float32]:
    return extract.extract(encoders.load(folder, "text", EncodingRequest(**asked)), texts, "cpu").matrix


def theirs(folder: Path, texts: list[str], **how: Any) -> npt.NDArray[np.float32]:
    vectors: npt.NDArray[np.float32] = st.SentenceTransformer(str(folder), device="cpu").encode(texts, **how)
    return vectors


def agree(folder: Path, said: str) -> None:
    """Hold the features of `auto` to those of the package, and what is said of them to *said*."""
    assert str(encoders.load(folder, "text").pooling) == said
    expected = theirs(folder, TEXTS)
    assert float(np.ptp(expected, axis=0).max()) > 100 * CLOSE
    np.testing.assert_allclose(ours(folder, TEXTS), expected, atol=CLOSE)


@pytest.mark.parametrize("name", REAL)
def test_real_checkpoints_give_the_features_of_the_package(name: str) -> None:
    folder = DEMO / "models" / name
    if not folder.exists():
        pytest.skip("`hubscan demo --build-only` makes these checkpoints")
    texts = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").split("\n\n")[:20]
    np.testing.assert_allclose(ours(folder, texts), theirs(folder, texts), atol=CLOSE)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT that no module stands behind yet."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(**SHAPE)
    BertModel(config).save_pretrained(folder)
    write_tokenizer(folder, "<s> A </s>")
    return folder


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny decoder that pads in front; its positions are relative, or the package's features would change."""
    folder = tmp_path_factory.mktemp("qwen3")
    torch.manual_seed(0)
    config = Qwen3Config(**SHAPE, num_key_value_heads=2, head_dim=8)
    Qwen3ForCausalLM(config).save_pretrained(folder)
    write_tokenizer(folder, "A </s>", padding_side="left")
    return folder


Save = Callable[..., Path]


@pytest.fixture
def saved(tmp_path: Path) -> Save:
    """Save a repository with the package: a network, what stands behind it, and its settings."""

    def save(network: Path, *behind: Any, settings: dict[str, Any] | None = None, **more: Any) -> Path:
        torch.manual_seed(1)
        transformer = modules.Transformer(str(network), **(settings or {}))
        st.SentenceTransformer(modules=[transformer, *behind], device="cpu", **more).save(
            str(tmp_path / "st")
        )
        return tmp_path / "st"

    return save


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("mean", "mean"),
        ("cls", "cls"),
        ("max", "max"),
        ("mean_sqrt_len_tokens", "sqrt-mean"),
        ("weightedmean", "weighted-mean"),
        ("lasttoken", "last"),
        (("cls", "max", "weightedmean"), "cls+max+weighted-mean"),
    ],
)
def test_every_pooling(saved: Save, bert: Path, mode: Any, said: str) -> None:
    agree(saved(bert, modules.Pooling(32, mode)), f"{said} (declared)")


def test_poolings_of_an_older_config_are_joined_in_the_order_of_the_package(saved: Save, bert: Path) -> None:
    folder = saved(bert, modules.Pooling(32, "mean"))
    keys = {"pooling_mode_mean_tokens": True, "pooling_mode_lasttoken": True, "pooling_mode_cls_token": True}
    (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 32, **keys}))
    agree(folder, "cls+mean+last (declared)")


@pytest.mark.parametrize("activation", [torch.nn.Tanh(), torch.nn.Identity(), torch.nn.GELU()])
def test_a_dense_layer_and_the_length_of_one(saved: Save, bert: Path, activation: torch.nn.Module) -> None:
    dense = modules.Dense(32, 12, activation_function=activation)
    folder = saved(bert, modules.Pooling(32), dense, modules.Normalize())
    agree(folder, "mean, dense, normalize (declared)")
    assert ours(folder, TEXTS).shape == (len(TEXTS), 12)


def test_dense_layers_with_a_way_past_them_a_norm_and_a_dropout(saved: Save, bert: Path) -> None:
    narrow = modules.Dense(32, 12, bias=False, use_residual=True)
    square = modules.Dense(12, 12, use_residual=True)
    norm = modules.LayerNorm(12)
    torch.nn.init.normal_(norm.norm.weight)
    folder = saved(bert, modules.Pooling(32), narrow, square, modules.Dropout(0.5), norm)
    agree(folder, "mean, dense, dense, layernorm (declared)")


def test_the_last_token_of_a_decoder_that_pads_in_front(saved: Save, decoder: Path) -> None:
    agree(saved(decoder, modules.Pooling(32, "lasttoken"), modules.Normalize()), "last, normalize (declared)")


def test_a_causal_model_that_declares_nothing_is_read_as_the_package_reads_it(decoder: Path) -> None:
    agree(decoder, "last (convention)")


def test_a_limit_and_lower_case(saved: Save, bert: Path) -> None:
    folder = saved(bert, modules.Pooling(32, "cls"), settings={"max_seq_length": 8, "do_lower_case": True})
    settings = json.loads((folder / "sentence_bert_config.json").read_text())
    (folder / "sentence_bert_config.json").write_text(
        json.dumps({**settings, "max_seq_length": 8, "do_lower_case": True})
    )
    encoder: Any = encoders.load(folder, "text")
    assert max(encoder.prepare(TEXTS).lengths) == 8
    agree(folder, "cls (declared)")


PROMPTS = {"query": "kind of: ", "Classification": "warm film: "}


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("mode", ["mean", "weightedmean", "cls", "max"])
def test_a_default_prompt(saved: Save, bert: Path, include: bool, mode: Any) -> None:
    pooling = modules.Pooling(32, mode, include_prompt=include)
    folder = saved(bert, pooling, prompts=PROMPTS, default_prompt_name="query")
    agree(folder, f'{mode.replace("dm", "d-m")} (declared), prompt "kind of: "')


def test_prompts_without_a_default(saved: Save, bert: Path) -> None:
    folder = saved(bert, modules.Pooling(32), prompts=PROMPTS)
    for asked, how in {
        "auto": {"prompt_name": "Classification"},
        "query": {"prompt_name": "query"},
        "none": {},
        "unheard-of": {},
        "a good film: ": {"prompt": "a good film: "},
        "good:": {"prompt": "good:"},
    }.items():
        np.testing.assert_allclose(
            ours(folder, TEXTS, prompt=asked), theirs(folder, TEXTS, **how), atol=CLOSE
        )


def test_the_first_numbers_of_a_vector(saved: Save, bert: Path) -> None:
    folder = saved(bert, modules.Pooling(32), modules.Normalize(), truncate_dim=5)
    agree(folder, "mean, normalize, first 5 (declared)")


def test_an_asked_pooling_leaves_all_modules_aside(saved: Save, bert: Path) -> None:
    folder = saved(bert, modules.Pooling(32), modules.Dense(32, 12), modules.Normalize())
    encoder = encoders.load(folder, "text", EncodingRequest(pooling="cls"))
    assert str(encoder.pooling) == "cls (asked)"
    np.testing.assert_allclose(
        ours(folder, TEXTS, pooling="cls"), ours(bert, TEXTS, pooling="cls"), atol=CLOSE
    )


def test_modules_are_of_the_last_layer_alone(saved: Save, bert: Path) -> None:
    folder = saved(bert, modules.Pooling(32), modules.Dense(32, 12), modules.Normalize())
    each = extract.extract(encoders.load(folder, "text", EncodingRequest(layers="each")), TEXTS, "cpu").layers
    plain = extract.extract(encoders.load(bert, "text", EncodingRequest(layers="each")), TEXTS, "cpu").layers
    for layer in ("0", "1"):
        np.testing.assert_allclose(each[layer], plain[layer], atol=CLOSE)
    np.testing.assert_allclose(each["2"], theirs(folder, TEXTS), atol=CLOSE)
    mean = encoders.load(folder, "text", EncodingRequest(layers="mean"))
    assert str(mean.pooling) == "mean (declared)"
    np.testing.assert_allclose(
        extract.extract(mean, TEXTS, "cpu").matrix, (plain["1"] + plain["2"]) / 2, atol=CLOSE
    )


def test_an_old_repository_with_its_network_in_a_folder(saved: Save, bert: Path) -> None:
    folder = saved(bert, modules.Pooling(32, "cls"), modules.Normalize())
    inner = folder / "0_Transformer"
    inner.mkdir()
    for name in ("config.json", "model.safetensors", "sentence_bert_config.json"):
        (folder / name).rename(inner / name)
    for file in folder.glob("tokenizer*"):
        file.rename(inner / file.name)
    listed = json.loads((folder / "modules.json").read_text())
    listed[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(listed))
    agree(folder, "cls, normalize (declared)")


def test_a_table_of_vectors(tmp_path: Path, bert: Path) -> None:
    torch.manual_seed(0)
    inner = tmp_path / "0_StaticEmbedding"
    inner.mkdir()
    save_file({"embedding.weight": torch.randn(len(WORDS), 16)}, inner / "model.safetensors")
    (inner / "tokenizer.json").write_bytes((bert / "tokenizer.json").read_bytes())
    kinds = [("StaticEmbedding", inner.name), ("Normalize", "1_Normalize")]
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, path) in enumerate(kinds)
    ]
    (tmp_path / "modules.json").write_text(json.dumps(listed))
    agree(tmp_path, "mean, normalize (declared)")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"activation_function": "os.system"}, "dense layer with os.system"),
        ({"activation_function": "torch.nn.modules.linear.Linear"}, "not a supported activation"),
        ({"in_features": 31}, "weights of 2_Dense do not fit: .*linear.weight"),
        ({"bias": False}, "weights of 2_Dense do not fit: .*linear.bias"),
        ({"in_features": -1}, "2_Dense/config.json is damaged: in_features is -1"),
        (
            {"module_input_name": "token_embeddings"},
            "Dense of single tokens, .* choose a pooling with --pooling",
        ),
    ],
)
def test_a_dense_layer_that_cannot_be_trusted_is_refused(
    saved: Save, bert: Path, change: dict[str, Any], said: str
) -> None:
    folder = saved(bert, modules.Pooling(32), modules.Dense(32, 12))
    file = folder / "2_Dense/config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(CheckpointError, match=said):
        encoders.load(folder, "text")


@pytest.mark.parametrize(
    ("place", "entry", "said"),
    [
        (1, {"type": "sentence_transformers.models.WeightedLayerPooling"}, "declares WeightedLayerPooling"),
        (2, {"type": "evil.Module"}, r"declares evil\.Module, which is not supported"),
        (0, {"type": "sentence_transformers.models.WordEmbeddings"}, "module WordEmbeddings"),
        (2, {"path": "../../etc"}, "outside the checkpoint"),
        (2, {"path": "/etc"}, "outside the checkpoint"),
        (2, {"path": "3_Missing"}, "3_Missing/config.json is damaged|no safetensors weights"),
    ],
)
def test_a_module_that_is_not_known_is_refused(
    saved: Save, bert: Path, place: int, entry: dict[str, str], said: str
) -> None:
    folder = saved(bert, modules.Pooling(32), modules.Dense(32, 12))
    listed = json.loads((folder / "modules.json").read_text())
    listed[place].update(entry)
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(CheckpointError, match=said):
        encoders.load(folder, "text")
