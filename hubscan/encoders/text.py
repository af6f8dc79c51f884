"""Texts or pairs of texts in, pooled token states out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubscan.encoders import Batch, Pooled
from hubscan.encoders.pairs import encoded_pairs
from hubscan.encoders.pooling import (
    chosen,
    declared_pooling,
    pool,
    pooled_layers,
    refuse_made_up_pooler,
)
from hubscan.encoders.token_encoder import TokenEncoder
from hubscan.encoders.tokenizer import length_limit, load_tokenizer, refuse_all_unknown
from hubscan.encoders.weights import load_errors, load_model
from hubscan.records import Input, Layers, Precision


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

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return *rows*: each gives one vector."""
        return rows


@dataclass(frozen=True)
class TextEncoder(TokenEncoder):
    """A text checkpoint: tokenizer, network, pooling."""

    @classmethod
    def load(
        cls, folder: Path, asked: str, max_length: int | None, layers: Layers, dtype: Precision
    ) -> TextEncoder:
        """Return the encoder in *folder*."""
        pooling = chosen(asked, declared_pooling(folder) if asked == "auto" else None, None)
        model, missing = load_model(folder, "text", dtype)
        if pooling.name == "pooler":
            refuse_made_up_pooler(missing)
        tokenizer = load_tokenizer(folder)
        limit = length_limit(folder, model, tokenizer, max_length)
        return cls(model, tokenizer, pooling, limit, layers)

    def prepare(self, inputs: Sequence[Input]) -> PreparedTexts:
        """Tokenise every text or pair of texts once, truncated to the model's limit."""
        pairs = [pair for pair in inputs if isinstance(pair, tuple)]
        with load_errors():
            if pairs:
                encoded = encoded_pairs(self.tokenizer, pairs, self.max_length, self.model.config)
            else:
                encoded = self.tokenizer(list(inputs), truncation=True, max_length=self.max_length)
        refuse_all_unknown(self.tokenizer, encoded["input_ids"])
        rows = [{key: values[i] for key, values in encoded.items()} for i in range(len(inputs))]
        return PreparedTexts(self.tokenizer, rows, [len(row["input_ids"]) for row in rows])

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled states of the layers."""
        output = self.model(**batch, output_hidden_states=self.layers != "last")
        mask = batch["attention_mask"]
        return pooled_layers(output, self.layers, self.pooling, lambda states, how: pool(states, mask, how))
