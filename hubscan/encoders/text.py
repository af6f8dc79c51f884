"""Encode texts, or pairs of texts, by pooling the states of their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hubscan.encoders.conventions import convention
from hubscan.encoders.declared import declaration
from hubscan.encoders.pairs import encoded_pairs
from hubscan.encoders.pooling import choose_pooling, pool, pooled_layers, refuse_made_up_pooler
from hubscan.encoders.prompts import choose_prompt, prompt_tokens
from hubscan.encoders.protocols import Batch, Pooled
from hubscan.encoders.readout import Readout, readout
from hubscan.encoders.tables import refuse_tokens_without_a_row
from hubscan.encoders.token_encoder import TokenEncoder
from hubscan.encoders.tokenizer import length_limit, load_tokenizer, padded
from hubscan.encoders.weights import load_errors, load_model
from hubscan.errors import CheckpointError
from hubscan.records import EncodingRequest, Input, Pooling, Precision


@dataclass(frozen=True)
class PreparedTexts:
    """Token ids of each row, truncated."""

    tokenizer: Any
    rows: list[dict[str, list[int]]]
    width: int | None  # of every batch; None: each batch is padded to its longest row

    @property
    def lengths(self) -> Sequence[int]:
        """Return how many tokens of each row are read."""
        return [self.width or len(row["input_ids"]) for row in self.rows]

    def batch(self, rows: Sequence[int]) -> Batch:
        """Pad *rows* to the longest of them."""
        return padded(self.tokenizer, [self.rows[row] for row in rows], self.width)

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return *rows*: each gives one vector."""
        return rows


@dataclass(frozen=True)
class TextEncoder(TokenEncoder):
    """A text checkpoint: tokenizer, network, pooling, and the modules after it.

    Those modules were trained on the last layer's vectors and are applied only to these: with layers "each",
    earlier layers are only pooled as declared, and with layers "mean" the modules are not used.
    """

    readout: Readout
    prompt: str

    @classmethod
    def load(cls, folder: Path, request: EncodingRequest, dtype: Precision) -> TextEncoder:
        """Return the encoder in *folder*."""
        asked = request.pooling
        declared = declaration(folder)
        said = readout(declared) if asked == "auto" else None
        model, missing = load_model(declared.network, "text", dtype)
        tokenizer = load_tokenizer(declared.network, model, lower_case=declared.lower_case)
        limit = length_limit(model, tokenizer, request.max_length, declared.max_length)
        with load_errors("its pooling cannot be determined from config.json"):
            usual = convention(model, missing) if asked == "auto" and said is None else None
        pooling = choose_pooling(asked, said.poolings if said else None, usual)
        if pooling.name == "pooler":
            refuse_made_up_pooler(missing)
        text = choose_prompt(request.prompt, declared)
        reading = said or Readout(pooling.name)
        if request.layers == "mean":
            reading = Readout(reading.poolings, reading.include_prompt)
        # As a part of the network it moves to the same device, and its weights are counted.
        model.add_module("readout", reading.head)
        pooling = Pooling(reading.name, pooling.origin, text)
        return cls(model, tokenizer, pooling, limit, request.layers, reading, text)

    def prepare(self, inputs: Sequence[Input]) -> PreparedTexts:
        """Tokenise every text or pair of texts once, truncated to the model's limit."""
        pairs = [(self.prompt + pair[0], *pair[1:]) for pair in inputs if isinstance(pair, tuple)]
        with load_errors("its tokenizer cannot read the texts"):
            if pairs:
                encoded = encoded_pairs(self.tokenizer, pairs, self.max_length, self.model.config)
            else:
                texts = [self.prompt + str(text) for text in inputs]
                encoded = self.tokenizer(texts, truncation=True, max_length=self.max_length)
        rows = [{key: values[i] for key, values in encoded.items()} for i in range(len(inputs))]
        refuse_tokens_without_a_row(self.model, self.tokenizer, rows)
        return PreparedTexts(self.tokenizer, rows, self.width)

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled states of the layers."""
        output, tokens = self.output(batch), batch["attention_mask"]
        mask = tokens if self.readout.include_prompt else self._behind_the_prompt(tokens)

        def pooled(states: torch.Tensor, how: str) -> torch.Tensor:
            if states.shape[:2] != mask.shape:
                raise CheckpointError("a layer does not give a state for each token; use --layers last")
            return pool(states, mask, how, tokens)

        how = Pooling(self.readout.poolings, self.pooling.origin)
        vectors = pooled_layers(output, self.layers, how, pooled)
        *_, last = vectors
        return vectors | {last: self.readout.head(vectors[last])}

    def _behind_the_prompt(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the mask without the prompt's tokens; a row that has no others keeps them."""
        rest = tokens.clone()
        rest[:, : prompt_tokens(self.tokenizer, self.prompt, self.max_length)] = 0
        return torch.where(rest.any(1, keepdim=True), rest, tokens)
