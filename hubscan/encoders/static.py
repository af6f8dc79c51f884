"""Encode texts with static embeddings: the mean of their tokens' vectors, which are looked up in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedTokenizerFast

from hubscan.encoders.declared import Declaration, declaration, stated
from hubscan.encoders.prompts import choose_prompt
from hubscan.encoders.protocols import Batch, Pooled
from hubscan.encoders.readout import Readout, normalizing, static_readout
from hubscan.encoders.tables import refuse_tokens_beyond
from hubscan.encoders.tokenizer import refuse_missing_vocabulary
from hubscan.encoders.weights import load_errors
from hubscan.errors import CheckpointError
from hubscan.families import family_of
from hubscan.records import EncodingRequest, Input, Pooling

MODEL2VEC_LENGTH: Final = 512  # tokens, if its config states no `max_length`; as in model2vec 0.9


def is_static(folder: Path) -> bool:
    """Return whether the checkpoint in *folder* has static embeddings: of model2vec, or declared as such."""
    modules = declaration(folder).modules
    if modules:
        return modules[0].kind == "StaticEmbedding"
    return family_of(stated(folder / "config.json").get("model_type")).static


@dataclass(frozen=True)
class PreparedBags:
    """Token ids of each row."""

    rows: list[list[int]]
    lengths: Sequence[int]

    def batch(self, rows: Sequence[int]) -> Batch:
        """Return the tokens of *rows*, concatenated, and the offset of each row."""
        chosen = [self.rows[row] for row in rows]
        begins = list(accumulate((len(row) for row in chosen), initial=0))[:-1]
        ids = [token for row in chosen for token in row]
        return {"input": torch.tensor(ids, dtype=torch.long), "offsets": torch.tensor(begins)}

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return *rows*: each gives one vector."""
        return rows


@dataclass(frozen=True)
class StaticEncoder:
    """A table of token vectors and its tokenizer. A text without a known token gives zeros."""

    model: nn.ModuleDict  # "table" and "head"
    tokenizer: PreTrainedTokenizerFast
    pooling: Pooling
    max_length: int | None
    left_out: int | None  # the id of the unknown token, if its vector is left out
    prompt: str

    @classmethod
    def load(cls, folder: Path, request: EncodingRequest) -> StaticEncoder:
        """Return the encoder in *folder*; it computes in float32, because lookups are cheap.

        With modules of sentence-transformers it works as they do: all tokens count. Without them it works as
        model2vec does: it leaves out unknown tokens and truncates texts.

        Raises:
            CheckpointError: if something is missing or broken, or if *request* does not apply to a table.
        """
        asked = request.pooling
        if request.layers != "last":
            raise CheckpointError("static embeddings have no layers; use --layers last")
        if asked not in ("auto", "mean"):
            raise CheckpointError(f"static embeddings have no {asked} pooling; use --pooling mean")
        declared = declaration(folder)
        config = stated(declared.network / "config.json")
        reading = _readout(declared, config) if asked == "auto" else Readout("mean")
        with load_errors("its embeddings or its tokenizer cannot be loaded"):
            table = _table(declared.network / "model.safetensors")
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(declared.network / "tokenizer.json"))
        refuse_missing_vocabulary(tokenizer)
        text = choose_prompt(request.prompt, declared)
        own_limit = None if declared.modules else _model2vec_length(config)
        return cls(
            nn.ModuleDict({"table": table, "head": reading.head}).eval(),
            tokenizer,
            Pooling(reading.name, "asked" if asked != "auto" else "declared", text),
            request.max_length or declared.max_length or own_limit,
            None if declared.modules else _unknown(declared.network / "tokenizer.json"),
            text,
        )

    @property
    def processor(self) -> str:
        """Return the tokenizer's class."""
        return type(self.tokenizer).__name__

    def prepare(self, inputs: Sequence[Input]) -> PreparedBags:
        """Tokenise every text without special tokens; join the texts of a pair with a line break."""
        texts = [self.prompt + ("\n".join(row) if isinstance(row, tuple) else str(row)) for row in inputs]
        with load_errors("its tokenizer cannot read the texts"):
            encoded = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        # Truncate before leaving out unknown tokens, as model2vec does.
        rows = [[token for token in row[: self.max_length] if token != self.left_out] for row in encoded]
        table = self.model["table"]
        refuse_tokens_beyond(getattr(table, "num_embeddings", None), self.tokenizer, rows)
        return PreparedBags(rows, [max(1, len(row)) for row in rows])

    def encode(self, batch: Batch) -> Pooled:
        """Return the mean of each row's vectors, after the modules that follow it."""
        return {"last": self.model["head"](self.model["table"](**batch))}


def _readout(declared: Declaration, config: dict[str, Any]) -> Readout:
    if declared.modules:
        return static_readout(declared)
    return normalizing() if config.get("normalize") is True else Readout("mean")


def _table(file: Path) -> nn.EmbeddingBag:
    """Return the vectors by token id; a table of clusters also maps tokens to vectors and weights."""
    if not file.exists():
        raise CheckpointError("no safetensors weights; save the table in model.safetensors")
    tensors = load_file(file)
    table = tensors.get("embedding.weight", tensors.get("embeddings"))
    if table is None or table.ndim != 2:
        raise CheckpointError(
            f"no embedding table among its weights ({', '.join(sorted(tensors))[:200]}); name it embeddings"
        )
    vectors = table.float()
    if "mapping" in tensors:
        vectors = vectors[tensors["mapping"].long()]
    if "weights" in tensors:
        vectors = vectors * tensors["weights"].float()[:, None]
    return nn.EmbeddingBag.from_pretrained(vectors, mode="mean")


def _model2vec_length(config: dict[str, Any]) -> int:
    length = config.get("max_length")
    return length if isinstance(length, int) and length > 0 else MODEL2VEC_LENGTH


def _unknown(file: Path) -> int | None:
    """Return the id of the unknown token, from a tokenizer's own *file*."""
    model = stated(file).get("model")
    if not isinstance(model, dict):
        return None
    number, name, vocabulary = model.get("unk_id"), model.get("unk_token"), model.get("vocab")
    if isinstance(number, int):
        return number
    token_id = vocabulary.get(name) if isinstance(vocabulary, dict) else None
    return token_id if isinstance(token_id, int) else None
