"""Load a checkpoint's tokenizer, and determine the most tokens that a row may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import normalizers
from transformers import AutoTokenizer

from hubscan.encoders.config import read_config
from hubscan.encoders.conventions import padding
from hubscan.encoders.tables import embedding_rows
from hubscan.encoders.weights import load_errors
from hubscan.errors import CheckpointError

UNSTATED_LENGTH: Final = 100_000  # a tokenizer without a limit states 1e30
LONGEST: Final = 512  # tokens, if neither the model nor the user sets a limit


def load_tokenizer(folder: Path, network: Any = None, *, lower_case: bool = False) -> Any:
    """Return the tokenizer in *folder*, with a padding token that *network* has, and padding on the right.

    With *lower_case* it lowercases texts first, in addition to what it does by itself.

    Many models count positions from the first token, padding included. Padding on the left would shift a
    text, so its features would depend on the other rows of its batch.

    Raises:
        CheckpointError: if it cannot be loaded or has no vocabulary, or if the network reads padding and has
            no vector for it.
    """
    with load_errors("its tokenizer cannot be loaded from its files"):
        tokenizer = AutoTokenizer.from_pretrained(
            folder, config=_config(folder), trust_remote_code=False, local_files_only=True
        )
    refuse_missing_vocabulary(tokenizer)
    _give_padding_token(tokenizer, network)
    tokenizer.padding_side = "right"
    if lower_case and tokenizer.is_fast:
        own = tokenizer.backend_tokenizer.normalizer
        lowered = [normalizers.Lowercase(), *([own] if own else [])]
        tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(lowered)
    return tokenizer


def _give_padding_token(tokenizer: Any, network: Any) -> None:
    """Let *tokenizer* pad with a token that *network* has a vector for: it is masked, so any will do.

    Raises:
        CheckpointError: if the network reads it, and has none for the tokenizer's own.
    """
    own, size = tokenizer.pad_token_id, None if network is None else embedding_rows(network)
    if own is not None and (size is None or own < size):
        return
    if own is not None and padding(network) == "read":
        raise CheckpointError(
            f"its padding token {tokenizer.pad_token!r} has number {own:,}, its embedding table {size:,} "
            "rows, and it reads padding; correct pad_token in its tokenizer_config.json"
        )
    names = ("eos_token", "unk_token", "sep_token", "cls_token", "bos_token", "mask_token")
    others = (getattr(tokenizer, name, None) for name in names)
    fitting = (
        token
        for token in others
        if token is not None and (size is None or 0 <= tokenizer.convert_tokens_to_ids(token) < size)
    )
    tokenizer.pad_token = next(fitting, None) or tokenizer.convert_ids_to_tokens(0)


def _config(folder: Path) -> Any:
    """Return the config in *folder*; None if it is unknown, for which the tokenizer's own files may do."""
    try:
        return read_config(folder)
    except (ValueError, OSError):
        return None


def padded(tokenizer: Any, rows: Sequence[Mapping[str, list[int]]], width: int | None) -> dict[str, Any]:
    """Return *rows* of token ids as tensors with their mask, padded to *width* or to the longest row.

    A text without tokens, such as an empty one if the tokenizer adds no special tokens, is read as one
    padding token: pooling needs a state, and it must not depend on the other rows of the batch.
    """
    how = {"padding": "max_length", "max_length": width} if width else {}
    filled = [row if row["input_ids"] else _padding_alone(tokenizer, row) for row in rows]
    return dict(tokenizer.pad(filled, return_attention_mask=True, return_tensors="pt", **how))


def _padding_alone(tokenizer: Any, row: Mapping[str, list[int]]) -> dict[str, list[int]]:
    zeros = {name: [0] for name in row}
    return zeros | {"input_ids": [tokenizer.pad_token_id], "attention_mask": [1]}


def refuse_missing_vocabulary(tokenizer: Any) -> None:
    """Refuse a tokenizer that knows no words.

    If the file of the vocabulary is missing, transformers creates a vocabulary of special tokens; in some
    families it also has a full stop or the marker of a space. Texts then differ only in length, and a ranking
    would compare that.

    Raises:
        CheckpointError: if no token has a letter or a digit, apart from special and added ones.
    """
    with load_errors("its tokenizer cannot be loaded from its files"):
        added = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
        learnt = (token for token, number in tokenizer.get_vocab().items() if number not in added)
        knows_words = any(character.isalnum() for token in learnt for character in token)
    if not knows_words:
        raise CheckpointError(
            "the vocabulary of its tokenizer is missing; add the tokenizer of its base model"
        )


def length_limit(model: Any, tokenizer: Any, *stated: int | None) -> int:
    """Return the most tokens that a row may have: the smallest of all limits that are *stated* or known."""
    limits = [*stated, _positions(model)]
    if 0 < tokenizer.model_max_length < UNSTATED_LENGTH:
        limits.append(int(tokenizer.model_max_length))
    known = [limit for limit in limits if limit]
    return min(known) if known else LONGEST


def _positions(model: Any) -> int | None:
    """Return the number of usable positions; RoBERTa and its relatives lose those up to the padding id."""
    positions = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    padding_id = getattr(model.config, "pad_token_id", None)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            if isinstance(padding_id, int) and padding_id < 0:  # which torch counts from the end
                offset = 0
            return min(positions, module.num_embeddings) - offset
    return positions
