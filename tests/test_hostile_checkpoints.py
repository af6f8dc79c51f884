"""Checkpoints made to harm: each is skipped for a reason in words, at once, and nothing else is opened."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hubscan import encoders, extract
from hubscan.guard import guarded
from hubscan.hub.deciding import NAMES, deciding_files
from hubscan.hub.fetch import fetch
from hubscan.records import Candidate, EncodingRequest, Skipped
from tests.support.fault_table import record

TEXTS = ["warm bright good", "dull", "a warm " * 20]
SECONDS = 10  # loading a tiny checkpoint takes one
RAW = re.compile(r"^(\w+Error|Exception)\b|^'|Traceback")  # an exception may only be the cause


class Exploit:
    """Unpickles as a call of a program."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch exploited",)


@pytest.fixture
def bert(hub_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(hub_root / "models" / "tester" / "plain-bert", tmp_path / "bert"))


@pytest.fixture
def vit(hub_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(hub_root / "models" / "tester" / "tiny-vit", tmp_path / "vit"))


def tried(folder: Path, inputs: Any = TEXTS, modality: Any = "text") -> str:
    """Return why the checkpoint was skipped, "" if it was not."""

    def work(enter: Callable[[str], None]) -> None:
        enter("fetch")
        found = fetch(Candidate(str(folder), "sha256:0", modality, local=True))
        enter("load")
        encoder = encoders.load(found.folder, modality, EncodingRequest())
        enter("embed")
        extract.extract(encoder, inputs, "cpu")

    begun = time.monotonic()
    result = guarded(Candidate(str(folder), "sha256:0", modality, local=True), lambda *_: None, work)
    assert time.monotonic() - begun < SECONDS
    return result.reason if isinstance(result, Skipped) else ""


def change(file: Path, **keys: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def indexed(folder: Path, name: object) -> None:
    """Let an index name the weights, and one of them elsewhere."""
    weights = list(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").rename(folder / "first.safetensors")
    index = {key: "first.safetensors" for key in weights} | {weights[-1]: name}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


ELSEWHERE = {
    "an absolute path": "/etc/passwd.safetensors",
    "a file of the parent folder": "../other.safetensors",
    "a file of another folder": "inner/other.safetensors",
    "a Windows path": "..\\other.safetensors",
    "a pickle": "vocab.bin",
    "a pickle with two endings": "other.safetensors.bin",
    "NUL": "other\0.safetensors",
    "a number": 7,
    "a list": ["other.safetensors"],
    "nothing": None,
    "an empty name": "",
    "only the ending": ".safetensors",
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_index_names_safetensors_files_beside_it_only(bert: Path, name: str) -> None:
    (bert / "vocab.bin").write_bytes(pickle.dumps(Exploit()))
    weights = load_file(bert / "model.safetensors")
    for place in (bert.parent / "other.safetensors", bert / "inner" / "other.safetensors"):
        place.parent.mkdir(exist_ok=True)
        save_file(weights, place)
    indexed(bert, ELSEWHERE[name])
    reason = tried(bert)
    assert reason.startswith("model.safetensors.index.json names ") and "in weight_map" in reason, reason
    record("checkpoint", f"an index that names {name}", reason)


@pytest.mark.parametrize("name", [name for name in ELSEWHERE if name != "nothing"])
def test_a_config_names_safetensors_files_beside_it_only(bert: Path, name: str) -> None:
    change(bert / "config.json", transformers_weights=ELSEWHERE[name])
    reason = tried(bert)
    assert reason.startswith("config.json names ") and "in transformers_weights" in reason, reason
    record("checkpoint", f"transformers_weights: {name}", reason)


@pytest.mark.parametrize("bad", ["{", "[]", '{"weight_map": []}', '{"weight_map": 7}', "[" * 50_000, "\0"])
def test_a_damaged_index_is_named(bert: Path, bad: str) -> None:
    indexed(bert, "first.safetensors")
    (bert / "model.safetensors.index.json").write_text(bad)
    reason = tried(bert)
    assert "model.safetensors.index.json" in reason and not RAW.search(reason), reason
    record("checkpoint", f"an index that contains {bad[:20]}", reason)


@pytest.mark.parametrize(
    ("file", "key"),
    [("config.json", "configuration_files"), ("tokenizer_config.json", "fast_tokenizer_files")],
)
def test_a_file_for_a_version_is_beside_its_list(bert: Path, file: str, key: str) -> None:
    change(bert / file, **{key: ["../../tokenizer.4.0.json"]})
    reason = tried(bert)
    assert reason.startswith(f"{file} names "), reason
    record("checkpoint", f"{key} names a file of another folder", reason)


@pytest.mark.parametrize("key", ["tokenizer_file", "vocab_file", "merges_file", "spm_file", "name_or_path"])
def test_a_path_that_a_tokenizer_remembers_is_not_opened(bert: Path, tmp_path: Path, key: str) -> None:
    private = tmp_path / "private.json"
    os.mkfifo(private)  # reading it would never end
    change(bert / "tokenizer_config.json", **{key: str(private)})
    assert tried(bert) == ""
    record("checkpoint", f"{key} names a private file", "ranked; the file was not opened")


@pytest.mark.parametrize(
    "name",
    [
        *("vocab.bin", "vocab.pkl", "tokenizer.py", "tokenizer.bin", "tokenizer.pkl", "vocab.zip", "spm.so"),
        *("pytorch_model.bin", "training_args.bin", "optimizer.pt", "modeling_x.py", "tokenization_x.py"),
        *("tokenizer.tar.gz", "vocab.npy", "tf_model.h5", "model.onnx", "model.gguf", "README.md"),
    ],
)
def test_what_is_not_needed_is_neither_downloaded_nor_hashed(bert: Path, name: str) -> None:
    from fnmatch import fnmatch

    before = set(deciding_files(bert))
    (bert / name).write_bytes(pickle.dumps(Exploit()))
    assert set(deciding_files(bert)) == before
    assert not any(fnmatch(name, pattern) for pattern in NAMES)
    assert tried(bert) == ""
    record("checkpoint", f"a file {name}", "ranked; the file is not downloaded")


SIZES: dict[str, dict[str, Any]] = {
    "a vocabulary of 30 million": {"vocab_size": 3 * 10**7},
    "100 million positions": {"max_position_embeddings": 10**8},
    "a million layers": {"num_hidden_layers": 10**6},
    "a layer 100 million wide": {"intermediate_size": 10**8},
    "a hidden state a million wide": {"hidden_size": 10**6},
    "10^12 token types": {"type_vocab_size": 10**12},
    "a negative vocabulary": {"vocab_size": -5},
    "no layers": {"num_hidden_layers": -1},
    "no heads": {"num_attention_heads": 0},
    "a width in words": {"hidden_size": "wide"},
    "a vocabulary that is a list": {"vocab_size": [1]},
    "an unknown activation": {"hidden_act": "boom"},
    "an activation that is a number": {"hidden_act": 7},
    "a name of an attention": {"_attn_implementation": {"": 7}, "position_embedding_type": 7},
    "a dropout of 7": {"hidden_dropout_prob": 7},
    "an epsilon in words": {"layer_norm_eps": "small"},
    "a model type that is a list": {"model_type": ["bert"]},
    "architectures that are a number": {"architectures": 7},
    "labels that are a number": {"id2label": 7},
}


@pytest.mark.parametrize("sizes", SIZES)
def test_a_config_that_contradicts_its_weights_is_refused_at_once(bert: Path, sizes: str) -> None:
    change(bert / "config.json", **SIZES[sizes])
    reason = tried(bert)
    assert not RAW.search(reason), reason
    record("checkpoint", f"a config with {sizes}", reason or "ranked; the key has no effect")


@pytest.mark.parametrize("sizes", list(SIZES)[:6])
def test_sizes_that_the_weights_lack_are_a_reason(bert: Path, sizes: str) -> None:
    change(bert / "config.json", **SIZES[sizes])
    assert "config" in tried(bert)


@pytest.mark.parametrize("keys", [{"image_size": 10**6}, {"patch_size": 0}, {"num_channels": 10**7}])
def test_image_sizes_that_the_weights_lack_are_a_reason(vit: Path, keys: dict[str, int]) -> None:
    change(vit / "config.json", **keys)
    reason = tried(vit, [picture()], "image")
    assert reason and not RAW.search(reason), reason
    record("checkpoint", f"a config with {keys}", reason)


PROCESSORS: dict[str, dict[str, Any]] = {
    "60,000 pixels": {"size": {"height": 60_000, "width": 60_000}},
    "a size in words": {"size": "large"},
    "a negative size": {"size": {"height": -1, "width": -1}},
    "a mean of four": {"image_mean": [0.5] * 4},
    "a standard deviation of 0": {"image_std": [0, 0, 0]},
    "a resampling of 99": {"resample": 99},
    "an unknown class": {"image_processor_type": "EvilProcessor"},
    "a class that is a list": {"image_processor_type": ["ViTImageProcessor"]},
}


@pytest.mark.parametrize("keys", PROCESSORS)
def test_a_bad_processor_is_a_reason_in_words(vit: Path, keys: str) -> None:
    change(vit / "preprocessor_config.json", **PROCESSORS[keys])
    reason = tried(vit, [picture()], "image")
    assert not RAW.search(reason), reason
    record("checkpoint", f"preprocessing with {keys}", reason or "ranked; the key has no effect")


TOKENIZERS: dict[str, Callable[[Path], None]] = {
    "tokenizer.json is a list": lambda folder: tokenizer(folder, "[]"),
    "tokenizer.json is empty": lambda folder: tokenizer(folder, "{}"),
    "tokenizer.json is nested deep": lambda folder: tokenizer(folder, "[" * 50_000),
    "tokenizer.json is a number": lambda folder: tokenizer(folder, "7"),
    "tokenizer_config.json is a list": lambda folder: config(folder, "[]"),
    "tokenizer_config.json is a number": lambda folder: config(folder, "7"),
    "tokenizer_config.json is nested deep": lambda folder: config(folder, '{"a":' * 50_000),
    "tokenizer_class is a list": lambda folder: keys(folder, tokenizer_class=["x"]),
    "tokenizer_class is unknown": lambda folder: keys(folder, tokenizer_class="Evil"),
    "model_max_length is text": lambda folder: keys(folder, model_max_length="x"),
    "model_max_length is negative": lambda folder: keys(folder, model_max_length=-5),
    "model_max_length is a list": lambda folder: keys(folder, model_max_length=[1]),
    "pad_token is a number": lambda folder: keys(folder, pad_token=7),
    "pad_token is a list": lambda folder: keys(folder, pad_token=[1]),
    "added tokens are text": lambda folder: keys(folder, added_tokens_decoder="x"),
    "added tokens without a number": lambda folder: keys(
        folder, added_tokens_decoder={"x": {"content": "y"}}
    ),
    "extra_special_tokens is a number": lambda folder: keys(folder, extra_special_tokens=7),
    "special_tokens_map.json is a list": lambda folder: special(folder, "[1]"),
    "a chat template of 10 MB": lambda folder: keys(folder, chat_template="{{ x }}" * 1_500_000),
    "a truncation side of 7": lambda folder: keys(folder, truncation_side=7),
    "clean_up_tokenization_spaces is a list": lambda folder: keys(folder, clean_up_tokenization_spaces=[1]),
}


def tokenizer(folder: Path, content: str) -> None:
    (folder / "tokenizer.json").write_text(content)


def config(folder: Path, content: str) -> None:
    (folder / "tokenizer_config.json").write_text(content)


def keys(folder: Path, **stated: Any) -> None:
    change(folder / "tokenizer_config.json", **stated)


def special(folder: Path, content: str) -> None:
    (folder / "special_tokens_map.json").write_text(content)


@pytest.mark.parametrize("bad", TOKENIZERS)
def test_a_bad_tokenizer_is_a_reason_in_words(bert: Path, bad: str) -> None:
    TOKENIZERS[bad](bert)
    reason = tried(bert)
    assert not RAW.search(reason), reason
    record("checkpoint", bad, reason or "ranked; the key has no effect")


@pytest.mark.parametrize("bad", ["[]", "7", '"x"', "[" * 5_000, "{", "\0", '{"model_type": 7}'])
def test_a_bad_config_is_a_reason_in_words(bert: Path, bad: str) -> None:
    (bert / "config.json").write_text(bad)
    reason = tried(bert)
    assert reason and not RAW.search(reason), reason
    record("checkpoint", f"config.json contains {bad[:20]}", reason)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.int64])
def test_weights_that_are_whole_numbers_are_refused(bert: Path, dtype: torch.dtype) -> None:
    weights = {name: tensor.to(dtype) for name, tensor in load_file(bert / "model.safetensors").items()}
    save_file(weights, bert / "model.safetensors", metadata={"format": "pt"})
    reason = tried(bert)
    assert reason == "its weights are whole numbers; save them in floating point"
    record("checkpoint", f"weights of type {dtype}", reason)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_weights_that_overflow_are_a_reason(bert: Path, value: float) -> None:
    weights = {
        name: torch.full_like(tensor, value) for name, tensor in load_file(bert / "model.safetensors").items()
    }
    save_file(weights, bert / "model.safetensors", metadata={"format": "pt"})
    reason = tried(bert)
    assert reason and not RAW.search(reason), reason
    record("checkpoint", f"weights that are all {value}", reason)


def picture() -> Any:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3)).save(file, "PNG")
    return file.getvalue()
