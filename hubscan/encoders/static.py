"""Static embeddings: texts in, the mean of their tokens' vectors out, looked up in a table."""

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
from hubscan.encoders.tokenizer import refuse_missing_vocabulary
from hubscan.encoders.weights import load_errors
from hubscan.errors import CheckpointError
from hubscan.families import family_of
from hubscan.records import EncodingRequest, Input, Pooling

MODEL2VEC_LENGTH: Final = 512  # tokens, where its config states no `max_length`, as of model2vec 0.9


def is_static(folder: Path) -> bool:
    """Return whether the checkpoint in *folder* is a table of vectors: model2vec's, or declared as one."""
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
        """Return the tokens of *rows* one behind the other, and where each row begins."""
        chosen = [self.rows[row] for row in rows]
        begins = list(accumulate((len(row) for row in chosen), initial=0))[:-1]
        ids = [token for row in chosen for token in row]
        return {"input": torch.tensor(ids, dtype=torch.long), "offsets": torch.tensor(begins)}

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return *rows*: each gives one vector."""
        return rows


@dataclass(frozen=True)
class StaticEncoder:
    """A table of token vectors and the tokenizer to it. A text without a token in it is all zeros."""

    model: nn.ModuleDict  # "table" and "head"
    tokenizer: PreTrainedTokenizerFast
    pooling: Pooling
    max_length: int | None
    left_out: int | None  # the id of the token for what is unknown, where its vector does not count
    prompt: str

    @classmethod
    def load(cls, folder: Path, request: EncodingRequest) -> StaticEncoder:
        """Return the encoder in *folder*; it computes in float32, since looking up costs nothing.

        What sentence-transformers' modules declare is done as they do it: all tokens count. Without
        them it is done as model2vec does: unknown tokens do not, and a text is cut.

        Raises:
            CheckpointError: if something is missing or broken, or if what is asked for makes no sense.
        """
        asked = request.pooling
        if request.layers != "last":
            raise CheckpointError("static embeddings have no layers; use --layers last")
        if asked not in ("auto", "mean"):
            raise CheckpointError(f"static embeddings have no {asked} pooling; use --pooling mean")
        declared = declaration(folder)
        config = stated(declared.network / "config.json")
        reading = _readout(declared, config) if asked == "auto" else Readout("mean")
        with load_errors():
            table = _table(declared.network / "model.safetensors")
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(declared.network / "tokenizer.json"))
        refuse_missing_vocabulary(tokenizer)
        if table.num_embeddings < len(tokenizer):
            raise CheckpointError(f"has {table.num_embeddings} vectors for {len(tokenizer)} tokens")
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
        """Tokenise every text, without marks; of a pair both, with a line break between."""
        texts = [self.prompt + ("\n".join(row) if isinstance(row, tuple) else str(row)) for row in inputs]
        with load_errors():
            encoded = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        # What is unknown is cut like the rest: model2vec leaves it out after that.
        rows = [[token for token in row[: self.max_length] if token != self.left_out] for row in encoded]
        return PreparedBags(rows, [max(1, len(row)) for row in rows])

    def encode(self, batch: Batch) -> Pooled:
        """Return the mean of each row's vectors, and what stands behind it."""
        return {"last": self.model["head"](self.model["table"](**batch))}


def _readout(declared: Declaration, config: dict[str, Any]) -> Readout:
    if declared.modules:
        return static_readout(declared)
    return normalizing() if config.get("normalize") is True else Readout("mean")


def _table(file: Path) -> nn.EmbeddingBag:
    """Return the vectors by token id. A table of clusters says which is a token's, and its weight."""
    if not file.exists():
        raise CheckpointError("no safetensors weights")
    tensors = load_file(file)
    table = tensors.get("embedding.weight", tensors.get("embeddings"))
    if table is None or table.ndim != 2:
        raise CheckpointError(f"no table of embeddings among its weights: {', '.join(sorted(tensors))}"[:300])
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
    """Return the id of the token for what is unknown, by a tokenizer's own file."""
    model = stated(file).get("model")
    if not isinstance(model, dict):
        return None
    number, name, vocabulary = model.get("unk_id"), model.get("unk_token"), model.get("vocab")
    if isinstance(number, int):
        return number
    token_id = vocabulary.get(name) if isinstance(vocabulary, dict) else None
    return token_id if isinstance(token_id, int) else None
