"""The revision of a local checkpoint is the hash of every file that decides its features, and of no other."""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
import transformers

import hubscan
from hubscan import encoders
from hubscan.errors import CheckpointError
from hubscan.hub import listing
from hubscan.hub.deciding import NAMES, content_of, deciding_files, wanted
from hubscan.records import Candidate, Query, Skipped
from tests.families.text import model2vec
from tests.hub.checkpoints import MODELS
from tests.hub.spelling import byte_gpt, letter_bert, slow_t5
from tests.support.images import IMAGES

CANNOT_DECIDE: Final = ("chat_template*", "generation_config.json", "README.md")
opened: set[str] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and opened is not None and isinstance(arguments[0], str | bytes | os.PathLike):
        opened.add(os.fsdecode(arguments[0]))


sys.addaudithook(_listen)


@contextmanager
def opening() -> Iterator[set[str]]:
    """Collect the names of files that are opened within the block."""
    global opened
    opened = set()
    try:
        yield opened
    finally:
        opened = None


def modules_elsewhere(folder: Path) -> None:
    """Modules in folders that only modules.json names, one of them nested, and a tokenizer among them."""
    MODELS["tester/sentence-bert"](folder)
    network, pooling = folder / "parts/network", folder / "parts/pool"
    network.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).rename(network / name)
    (folder / "sentence_bert_config.json").rename(network / "sentence_bert_config.json")
    (folder / "1_Pooling").rename(pooling)
    modules = json.loads((folder / "modules.json").read_text())
    for module, path in zip(modules, ("parts/network", "parts/pool"), strict=True):
        module["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules))


def sharded(folder: Path) -> None:
    """A network in two files whose names only the index tells, one of them in a folder."""
    MODELS["tester/plain-bert"](folder)
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    (folder / "more").mkdir()
    names = ["first.safetensors", "second.safetensors"]
    for place, name in enumerate(names):
        part = {key: tensor for n, (key, tensor) in enumerate(weights.items()) if n % 2 == place}
        save_file(part, folder / name, metadata={"format": "pt"})
    index = {key: names[n % 2] for n, key in enumerate(weights)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def named_weights(folder: Path) -> None:
    """A network in a file that the config names."""
    MODELS["tester/plain-bert"](folder)
    (folder / "weights").mkdir()
    (folder / "model.safetensors").rename(folder / "mine.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"transformers_weights": "mine.safetensors"}))


MADE: Final = {
    **{name: make for name, make in MODELS.items() if name.startswith("tester/")},
    "letters": lambda folder: letter_bert(folder),
    "bytes": lambda folder: byte_gpt(folder),
    "slow": lambda folder: slow_t5(folder),
    "static": lambda folder: model2vec(folder),
    "modules-elsewhere": modules_elsewhere,
    "sharded": sharded,
    "named-weights": named_weights,
}


def _features(folder: Path) -> npt.NDArray[Any]:
    if (folder / "preprocessor_config.json").exists():
        return hubscan.embed(str(folder), IMAGES, modality="image")
    return hubscan.embed(str(folder), ["warm", "dull"], modality="text")


@pytest.mark.parametrize("name", MADE)
def test_every_file_that_is_opened_decides_the_revision(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    if name not in ("letters", "bytes", "slow", "static"):
        folder.mkdir()
    MADE[name](folder)
    with opening() as names:
        found = _features(folder)
    inside = {Path(name) for name in names if Path(name).is_relative_to(folder) and Path(name).is_file()}
    deciding = [
        file for file in sorted(inside) if not any(fnmatch(file.name, other) for other in CANNOT_DECIDE)
    ]
    assert folder / "config.json" in deciding or (folder / "modules.json") in deciding
    before = content_of(folder)
    for file in deciding:
        content = file.read_bytes()
        file.write_bytes(content + b" ")
        assert content_of(folder) != before, f"{file.name} was changed"
        file.rename(file.with_name("away"))
        assert content_of(folder) != before, f"{file.name} is gone"
        file.with_name("away").rename(file)
        file.write_bytes(content)
        assert content_of(folder) == before
    for file in [
        file for file in folder.rglob("*") if file.is_file()
    ]:  # libraries in Rust open files unheard
        if file not in deciding_files(folder).values():
            file.unlink()
    np.testing.assert_array_equal(_features(folder), found)
    if name != "sharded":  # an index of shards may name any file
        patterns = wanted(folder)[0]
        for file in deciding:
            assert any(fnmatch(file.relative_to(folder).as_posix(), each) for each in patterns), file


def _vocabularies() -> set[str]:
    """Return the names of the files that any tokenizer of transformers reads, out of the source."""
    found: set[str] = set()
    for file in Path(transformers.__file__).parent.glob("models/*/tokenization_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = [getattr(target, "id", "") for target in getattr(node, "targets", ())]
            if isinstance(node, ast.Assign) and "vocab_files_names" in [name.lower() for name in named]:
                found.update(one.value for one in ast.walk(node.value) if _is_file(one))  # type: ignore[attr-defined]
    return found


def _is_file(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value


def test_the_vocabulary_of_every_tokenizer_of_transformers_decides() -> None:
    known = _vocabularies()
    assert len(known) > 10
    assert {file for file in known if not any(fnmatch(file, name) for name in NAMES)} == set()


ADDED: Final = (
    "tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model",
    "sentencepiece.bpe.model", "tokenizer.model", "source.spm", "qwen.tiktoken", "bpe.codes", "added_tokens.json",
    "special_tokens_map.json", "preprocessor_config.json", "processor_config.json", "entity_vocab.json",
    "config_sentence_transformers.json", "sentence_roberta_config.json", "model.safetensors",
    "model.safetensors.index.json", "model-00001-of-00002.safetensors", "1_Pooling/config.json",
    "2_Dense/model.safetensors", "0_Transformer/tokenizer.json", "0_Transformer/vocab.txt",
    "0_StaticEmbedding/tokenizer.json", "mine/tokenizer.json", "mine/inner/added_tokens.json",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config, and a modules.json that names two more folders."""
    place = tmp_path / "model"
    (place / "mine/inner").mkdir(parents=True)
    (place / "config.json").write_text('{"model_type": "bert"}')
    modules = [{"path": path, "type": "x"} for path in ("mine", "mine/inner", "../outside", "/etc", "")]
    (place / "modules.json").write_text(json.dumps(modules))
    return place


@pytest.mark.parametrize("name", ADDED)
def test_adding_changing_renaming_and_deleting_such_a_file_changes_the_revision(
    folder: Path, name: str
) -> None:
    seen = [content_of(folder)]
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    for content in ("{}", "{ }"):
        file.write_text(content)
        seen.append(content_of(folder))
    assert len(set(seen)) == 3
    file.unlink()
    assert content_of(folder) == seen[0]


@pytest.mark.parametrize(
    "name",
    ["README.md", "generation_config.json", "checkpoint-500/model.safetensors", "optimizer.pt", "onnx/vocab.txt",
     "pytorch_model.bin", "trainer_state.json", ".gitattributes", "other/config.json"],
)  # fmt: skip
def test_other_files_and_the_times_of_any_do_not(folder: Path, name: str) -> None:
    before = content_of(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    os.utime(folder / "config.json", (1, 1))
    assert content_of(folder) == before


def test_the_names_of_files_count_too(folder: Path) -> None:
    (folder / "vocab.txt").write_text("a")
    (folder / "merges.txt").write_text("b")
    before = content_of(folder)
    (folder / "vocab.txt").write_text("b")
    (folder / "merges.txt").write_text("a")
    assert content_of(folder) != before
    (folder / "merges.txt").unlink()
    renamed = content_of(folder)
    (folder / "vocab.txt").rename(folder / "vocab.json")
    assert content_of(folder) != renamed


def test_a_link_counts_as_the_file_that_it_leads_to(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    before = content_of(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to(tmp_path / "blob")
    assert content_of(folder) == before
    (tmp_path / "blob").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer.json is a broken link; copy the file itself"):
        content_of(folder)


def test_a_pipe_is_not_waited_for_and_a_folder_is_no_file(folder: Path) -> None:
    (folder / "tokenizer").mkdir()
    assert "tokenizer" not in deciding_files(folder)
    os.mkfifo(folder / "vocab.txt")
    with pytest.raises(CheckpointError, match=r"vocab.txt is not a regular file; copy"):
        content_of(folder)


@pytest.mark.parametrize(
    "modules", ["{", "[]", "3", '[{"path": 3}]', '["x"]', '[{"path": "a\\u0000b"}]', "[" * 100_000]
)
def test_a_damaged_list_of_modules_is_left_to_loading(folder: Path, modules: str) -> None:
    (folder / "modules.json").write_text(modules)
    assert content_of(folder).startswith("sha256:")


def test_what_cannot_be_hashed_is_skipped_with_the_reason(folder: Path) -> None:
    (folder / "tokenizer.json").symlink_to("nowhere")
    (skipped,) = listing.named([str(folder)], Query(), "text")
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "tokenizer.json is a broken link; copy the file itself into the folder"


def test_a_mended_tokenizer_is_another_candidate_with_other_features(hub_root: Path, tmp_path: Path) -> None:
    shutil.copytree(hub_root / "models/tester/seeing-bert", tmp_path / "mine")
    mine = str(tmp_path / "mine")

    def revision() -> str:
        (candidate,) = listing.named([mine], Query(), "text")
        assert isinstance(candidate, Candidate)
        return candidate.revision

    before, features = revision(), hubscan.embed(mine, ["good work"])
    file = tmp_path / "mine/tokenizer.json"
    file.write_text(file.read_text().replace('"good"', '"goot"'))
    assert revision() != before
    assert (hubscan.embed(mine, ["good work"]) != features).any()


# -- what is downloaded --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modules", "name", "fetched"),
    [
        ([], "model.safetensors", True),
        ([], "source.spm", True),
        ([], "onnx/spiece.model", False),
        ([], "onnx/entity_vocab.json", False),
        ([], "model.fp16.safetensors", False),
        ([], "0_Transformer/spiece.model", True),
        ([], "0_Transformer/onnx/tokenizer.json", False),
        ([], "pytorch_model.bin", False),
        (["network"], "network/spiece.model", True),
        (["network"], "network/model.safetensors", True),
        (["network/inner"], "network/inner/model.safetensors", True),
        (["network"], "onnx/model.safetensors", False),
    ],
)
def test_what_decides_is_downloaded_and_no_other_weights(
    tmp_path: Path, modules: list[str], name: str, fetched: bool
) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"path": path, "type": "x"} for path in modules]))
    patterns, left_out = wanted(tmp_path)
    chosen = any(fnmatch(name, each) for each in patterns) and not any(
        fnmatch(name, each) for each in left_out
    )
    assert chosen is fetched


def test_weights_that_the_config_names_can_be_loaded(tmp_path: Path) -> None:
    named_weights(tmp_path)
    assert encoders.load(tmp_path, "text")
