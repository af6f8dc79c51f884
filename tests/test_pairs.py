"""Pairs of texts, against rows of tokens put together by hand."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from hubscan import encoders
from hubscan.errors import CheckpointError
from hubscan.extract import extract
from hubscan.records import EncodingRequest
from tests.hub.spelling import byte_gpt, letter_bert
from tests.hub.words import sentence

RANDOM = Random(0)
PAIRS = [(sentence(label, RANDOM), sentence(2 - label, RANDOM)) for label in (0, 1, 2)]
PAIRS += [("warm", "a"), ("good film " * 40, "dull"), ("dull " * 30, "good film " * 40)]


def tokens(folder: Path, text: str) -> list[int]:
    found: list[int] = AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False)["input_ids"]
    return found


def cut(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    """Take the last token of the longer one until both fit; of two alike that of the one that was shorter."""
    one, other, shorter = list(first), list(second), len(first) < len(second)
    while len(one) + len(other) > room:
        (one if len(one) > len(other) or (len(one) == len(other) and shorter) else other).pop()
    return one, other


def states(folder: Path, ids: list[int], types: list[int] | None = None) -> torch.Tensor:
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    more = {} if types is None else {"token_type_ids": torch.tensor([types])}
    with torch.no_grad():
        found: torch.Tensor = model(torch.tensor([ids]), **more).last_hidden_state[0]
    return found


@pytest.mark.parametrize(("name", "limit"), [("plain-bert", 64), ("sentence-bert", 16), ("mlm-bert", 64)])
def test_a_bert_sees_both_texts_with_separators_and_their_types(
    hub_root: Path, name: str, limit: int
) -> None:
    folder = hub_root / "models/tester" / name
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = extract(encoders.load(folder, "text"), PAIRS, "cpu").matrix
    for pair, vector in zip(PAIRS, found, strict=True):
        first, second = cut(tokens(folder, pair[0]), tokens(folder, pair[1]), room=limit - 3)
        ids = [tokenizer.cls_token_id, *first, tokenizer.sep_token_id, *second, tokenizer.sep_token_id]
        types = [0] * (len(first) + 2) + [1] * (len(second) + 1)
        expected = states(folder, ids, types)
        expected = expected[0] if name == "sentence-bert" else expected.mean(0)
        np.testing.assert_allclose(vector, expected.numpy(), atol=1e-5)


def test_a_roberta_sees_both_texts_with_its_two_separators(hub_root: Path) -> None:
    folder = hub_root / "models/tester/roberta"
    found = extract(encoders.load(folder, "text"), PAIRS, "cpu").matrix
    for pair, vector in zip(PAIRS, found, strict=True):
        first, second = cut(tokens(folder, pair[0]), tokens(folder, pair[1]), room=64 - 4)
        expected = states(folder, [0, *first, 2, 2, *second, 2]).mean(0)
        np.testing.assert_allclose(vector, expected.numpy(), atol=1e-5)


def test_a_decoder_without_a_form_for_pairs_sees_a_line_break_between_them(tmp_path: Path) -> None:
    folder = byte_gpt(tmp_path / "gpt")
    pairs = [("good film", "dull"), ("a", "warm and kind")]
    found = extract(encoders.load(folder, "text"), pairs, "cpu").matrix
    for (first, second), vector in zip(pairs, found, strict=True):
        expected = states(folder, tokens(folder, f"{first}\n{second}"))[-1]
        np.testing.assert_allclose(vector, expected.numpy(), atol=1e-5)


def test_a_model_with_one_type_of_tokens_gets_no_second(tmp_path: Path) -> None:
    folder = letter_bert(tmp_path / "one", types=1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = extract(encoders.load(folder, "text"), [("good", "film")], "cpu").matrix
    ids = tokenizer("good", "film")["input_ids"]
    np.testing.assert_allclose(found[0], states(folder, ids).mean(0).numpy(), atol=1e-5)


def test_the_order_of_a_pair_matters(hub_root: Path) -> None:
    encoder: Any = encoders.load(hub_root / "models/tester/plain-bert", "text")
    one, other = extract(encoder, [("good film", "dull"), ("dull", "good film")], "cpu").matrix
    assert not np.allclose(one, other, atol=1e-3)


def test_a_length_without_room_for_a_token_of_each_is_refused(hub_root: Path) -> None:
    encoder = encoders.load(hub_root / "models/tester/plain-bert", "text", EncodingRequest(max_length=4))
    with pytest.raises(
        CheckpointError, match="4 tokens are too few for a pair of texts: its tokenizer adds 3 special tokens"
    ):
        encoder.prepare(PAIRS)


def test_a_text_is_the_same_whichever_side_its_tokenizer_pads(tmp_path: Path) -> None:
    texts = ["good", "a film of work"]
    left = letter_bert(tmp_path / "left", padding_side="left")
    right = letter_bert(tmp_path / "right")
    found = [extract(encoders.load(folder, "text"), texts, "cpu").matrix for folder in (left, right)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
