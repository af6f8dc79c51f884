"""Whether a tokenizer has its vocabulary is told from the vocabulary, and not from the texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import CanineTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

import hubscan
from hubscan import encoders
from hubscan.encoders.tokenizer import load_tokenizer, refuse_missing_vocabulary
from hubscan.errors import CheckpointError
from tests.families.text import model2vec
from tests.hub.spelling import byte_gpt, letter_bert, slow_t5

MISSING = "the vocabulary of its tokenizer is missing"


def knowing(*words: str, added: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, **{w: i for i, w in enumerate(words, 1)}}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_tokens(list(added))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")


@pytest.mark.parametrize(
    "model_type",
    [
        "albert", "bert", "big_bird", "camembert", "deberta", "deberta-v2", "fnet", "gemma", "gpt2", "gpt_neox",
        "mbart", "mpnet", "mt5", "qwen2", "roberta", "splinter", "t5", "xglm", "xlm-roberta", "xlnet",
    ],
)  # fmt: skip
def test_the_vocabulary_that_transformers_makes_where_its_file_is_missing_is_refused(
    tmp_path: Path, model_type: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(CheckpointError, match=MISSING):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "tokenizer",
    [knowing(), knowing("\u2581", ".", "<>"), knowing(added=("<tool_call>", "[START_REF]"))],
    ids=["nothing", "marks", "added"],
)
def test_special_tokens_added_tokens_and_marks_are_no_vocabulary(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(CheckpointError, match=MISSING):
        refuse_missing_vocabulary(tokenizer)


@pytest.mark.parametrize("words", [("CC(=O)O", "[nH]"), ("A",), ("7",), ("猫",), ("नमस्ते",), ("##s",)])
def test_a_vocabulary_of_any_domain_or_script_is_one(words: tuple[str, ...]) -> None:
    refuse_missing_vocabulary(knowing(*words))


def test_characters_are_a_vocabulary() -> None:
    refuse_missing_vocabulary(CanineTokenizer())


def test_a_table_of_vectors_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    folder, _ = model2vec(tmp_path / "table")
    knowing().backend_tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(CheckpointError, match=MISSING):
        encoders.load(folder, "text")


@pytest.mark.parametrize("make", [letter_bert, byte_gpt, slow_t5, lambda folder: model2vec(folder)[0]])
def test_texts_of_which_a_tokenizer_knows_nothing_have_the_features_that_they_have_beside_others(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    folder = str(make(tmp_path / "model"))
    beside = hubscan.embed(folder, ["", "good work", "🤖"])
    np.testing.assert_allclose(hubscan.embed(folder, [""]), beside[:1], atol=1e-5)
    np.testing.assert_allclose(hubscan.embed(folder, ["🤖"]), beside[2:], atol=1e-5)


def test_a_text_without_a_token_is_read_as_the_padding_token(tmp_path: Path) -> None:
    encoder = encoders.load(byte_gpt(tmp_path / "gpt"), "text")
    prepared = encoder.prepare(["", "ab"])
    batch = prepared.batch([0, 1])
    padding = encoder.tokenizer.pad_token_id  # type: ignore[attr-defined]
    assert batch["input_ids"][0].tolist() == [padding, padding]
    assert torch.equal(batch["attention_mask"], torch.tensor([[1, 0], [1, 1]]))
