"""Pairs of texts in, one row of tokens for each out: as the checkpoint was trained to see two texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hubscan.errors import CheckpointError


def encoded_pairs(tokenizer: Any, pairs: Sequence[tuple[str, ...]], max_length: int, config: Any) -> Any:
    """Return both texts of each pair in one row, in the tokenizer's own form for pairs.

    That is a separator between them, and token types where the tokenizer makes them. What a tokenizer
    without such a form, as of most decoders, would run together it gets with a line break between, as
    texts are set apart elsewhere. Truncation takes tokens from the longer of the two.

    A checkpoint that was trained to embed single texts sees the pair in one pass, too: fine-tuned on
    pairs it would, the width stays its own, and how two vectors become one (joined, their difference,
    their product) would be a choice of hubscan's that the checkpoint never made.

    Args:
        tokenizer: a tokenizer of transformers.
        pairs: n times two texts.
        max_length: tokens that a row may have.
        config: the model's; one that knows a single type of tokens gets no second one.

    Raises:
        CheckpointError: if *max_length* has no room for a token of each text.
    """
    marks = tokenizer.num_special_tokens_to_add(pair=True)
    if max_length < marks + 2:
        raise CheckpointError(
            f"a length of {max_length} tokens has no room for a pair: {marks} of them are marks"
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
    """Return whether a pair has more marks than one text, or types that tell the two apart."""
    more = tokenizer.num_special_tokens_to_add(pair=True) > tokenizer.num_special_tokens_to_add(pair=False)
    return bool(more) or any(tokenizer("a", "a").get("token_type_ids", ()))
