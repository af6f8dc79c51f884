"""Tokenize each pair of texts as one row, in the form that the checkpoint was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hubscan.errors import CheckpointError


def encoded_pairs(tokenizer: Any, pairs: Sequence[tuple[str, ...]], max_length: int, config: Any) -> Any:
    """Return both texts of each pair in one row, in the tokenizer's own form for pairs.

    That form is a separator between the texts, and token types if the tokenizer has them. Most decoders'
    tokenizers have no such form and would run the texts together; they get a line break between the texts,
    which separates texts elsewhere too. Truncation takes tokens from the longer text.

    A checkpoint that was trained to embed single texts also reads the pair in one pass. Fine-tuned on pairs
    it would too, the width stays its own, and how to combine two vectors (concatenation, difference,
    product) would be our choice, not the checkpoint's.

    Args:
        tokenizer: a tokenizer of transformers.
        pairs: n pairs of texts.
        max_length: the most tokens in a row.
        config: the model's; if it has a single token type, both texts get that.

    Raises:
        CheckpointError: if *max_length* leaves no room for a token of each text.
    """
    marks = tokenizer.num_special_tokens_to_add(pair=True)
    if max_length < marks + 2:
        raise CheckpointError(
            f"{max_length} tokens are too few for a pair of texts: its tokenizer adds {marks} special "
            "tokens; raise --max-length"
        )
    firsts, seconds = ([pair[side] for pair in pairs] for side in (0, 1))
    if not _sets_apart(tokenizer):
        seconds = ["\n" + second for second in seconds]
    encoded = tokenizer(firsts, seconds, truncation="longest_first", max_length=max_length)
    types = getattr(config, "type_vocab_size", None)
    if "token_type_ids" in encoded and isinstance(types, int) and types < 2:
        encoded["token_type_ids"] = [[0] * len(row) for row in encoded["token_type_ids"]]
    return encoded


def _sets_apart(tokenizer: Any) -> bool:
    """Return whether a pair has more special tokens than one text, or token types for the two."""
    more = tokenizer.num_special_tokens_to_add(pair=True) > tokenizer.num_special_tokens_to_add(pair=False)
    return bool(more) or any(tokenizer("a", "a").get("token_type_ids", ()))
