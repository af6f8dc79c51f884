"""Texts in, pooled token states out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoTokenizer

from hubscan.encoders import Batch, Pooled
from hubscan.encoders.pooling import (
    chosen,
    declared_pooling,
    layer_states,
    pool,
    pooler_output,
    refuse_made_up_pooler,
)
from hubscan.encoders.weights import load_errors, load_model
from hubscan.errors import CheckpointError
from hubscan.records import Input, Pooling

UNSTATED_LENGTH: Final = 100_000  # a tokenizer without a limit says 1e30
LONGEST: Final = 512  # tokens, where neither model nor user sets a limit


@dataclass(frozen=True)
class PreparedTexts:
    """Token ids of each row, truncated."""

    tokenizer: Any
    rows: list[dict[str, list[int]]]
    lengths: Sequence[int]

    def batch(self, rows: Sequence[int]) -> Batch:
        """Pad *rows* to the longest of them."""
        padded = self.tokenizer.pad([self.rows[row] for row in rows], return_tensors="pt")
        return dict(padded)


@dataclass(frozen=True)
class TextEncoder:
    """A text checkpoint: tokenizer, network, pooling."""

    model: torch.nn.Module
    tokenizer: Any
    pooling: Pooling
    max_length: int
    every_layer: bool

    @classmethod
    def load(cls, folder: Path, asked: str, max_length: int | None, every_layer: bool) -> TextEncoder:
        """Return the encoder in *folder*."""
        pooling = chosen(asked, declared_pooling(folder) if asked == "auto" else None, None)
        model, missing = load_model(folder, "text")
        if pooling.name == "pooler":
            refuse_made_up_pooler(missing)
        with load_errors():
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        if tokenizer.pad_token_id is None:
            if tokenizer.eos_token is None:
                raise CheckpointError("its tokenizer has neither a padding nor an end token")
            tokenizer.pad_token = tokenizer.eos_token  # masked, so any token serves
        return cls(model, tokenizer, pooling, _limit(folder, model, tokenizer, max_length), every_layer)

    @property
    def parameters(self) -> int:
        """Return the number of weights of the network that runs."""
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def processor(self) -> str:
        """Return the tokenizer's class."""
        return type(self.tokenizer).__name__

    def prepare(self, inputs: Sequence[Input]) -> PreparedTexts:
        """Tokenise every text once, truncated to the model's limit."""
        with load_errors():
            encoded = self.tokenizer(list(inputs), truncation=True, max_length=self.max_length)
        _refuse_all_unknown(self.tokenizer, encoded["input_ids"])
        rows = [{key: values[i] for key, values in encoded.items()} for i in range(len(inputs))]
        return PreparedTexts(self.tokenizer, rows, [len(row["input_ids"]) for row in rows])

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled states of the layers."""
        output = self.model(**batch, output_hidden_states=self.every_layer)
        if self.pooling.name == "pooler":
            return {"last": pooler_output(output)}
        states = layer_states(output, self.every_layer)
        return {name: pool(s, batch["attention_mask"], self.pooling.name) for name, s in states.items()}


def _refuse_all_unknown(tokenizer: Any, rows: Sequence[Sequence[int]]) -> None:
    """Refuse a tokenizer to which every word is unknown.

    Where the vocabulary's file is missing, transformers makes an empty one without a word; the
    texts then differ in their lengths alone, which would be ranked.
    """
    silent = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    words = {token for row in rows for token in row} - silent
    if words <= {tokenizer.unk_token_id}:
        raise CheckpointError("its tokenizer knows none of the words: the vocabulary is missing or another's")


def _limit(folder: Path, model: Any, tokenizer: Any, asked: int | None) -> int:
    """Return how many tokens a row may have: the least of all limits that are stated."""
    limits = [asked, _positions(model), _declared_length(folder)]
    if tokenizer.model_max_length < UNSTATED_LENGTH:
        limits.append(int(tokenizer.model_max_length))
    stated = [limit for limit in limits if limit]
    return min(stated) if stated else LONGEST


def _positions(model: Any) -> int | None:
    """Return the usable positions; RoBERTa and its kin lose those up to the padding token's id."""
    positions = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            return min(positions, module.num_embeddings) - offset
    return positions


def _declared_length(folder: Path) -> int | None:
    """Return `max_seq_length` of a sentence-transformers checkpoint, if it states one."""
    file = folder / "sentence_bert_config.json"
    if not file.exists():
        return None
    try:
        length = json.loads(file.read_text(encoding="utf-8")).get("max_seq_length")
    except (ValueError, AttributeError) as error:
        raise CheckpointError(f"sentence_bert_config.json is damaged: {error}") from error
    return length if isinstance(length, int) and length > 0 else None
