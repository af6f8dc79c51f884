"""Check before a network runs that its tables have a row for every token that occurs.

On a GPU, an index outside a table ends the process with an assertion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from hubscan.errors import CheckpointError

Row = Mapping[str, Sequence[int]]


def embedding_rows(model: Any) -> int | None:
    """Return the number of rows of the network's embedding table; None if it has no single one."""
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    return table.num_embeddings if isinstance(table, nn.Embedding) else None


def refuse_tokens_without_a_row(model: Any, tokenizer: Any, rows: Sequence[Row]) -> None:
    """Refuse *rows* with a token, or a type of token, that the network has no vector for.

    Tokens without a vector that never occur do no harm.

    Raises:
        CheckpointError: naming both sizes, and one such token.
    """
    refuse_tokens_beyond(embedding_rows(model), tokenizer, [row["input_ids"] for row in rows])
    size = _type_rows(model)
    largest = max((max(row.get("token_type_ids", ()), default=0) for row in rows), default=0)
    if size is not None and largest >= size:
        raise CheckpointError(
            f"its tokenizer gives token type {largest}, its table of token types has {size} rows; correct "
            "the token types in its tokenizer.json"
        )


def refuse_tokens_beyond(size: int | None, tokenizer: Any, rows: Sequence[Sequence[int]]) -> None:
    """Refuse *rows* of token ids if one of them is not below *size*.

    Raises:
        CheckpointError: naming both sizes, and one such token.
    """
    if size is None:
        return
    beyond = [largest for largest in (max(row, default=0) for row in rows) if largest >= size]
    if beyond:
        known = max(len(tokenizer), max(beyond) + 1)
        token = str(tokenizer.convert_ids_to_tokens(beyond[0]))[:40]
        raise CheckpointError(
            f"its tokenizer has {known:,} tokens, its embedding table {size:,} rows, and {len(beyond):,} of "
            f"{len(rows):,} inputs contain a token without a row ({token!r}); remove such tokens from its "
            "tokenizer, or enlarge the table and train it"
        )


def _type_rows(model: Any) -> int | None:
    tables = (
        module.num_embeddings
        for name, module in model.named_modules()
        if name.endswith("token_type_embeddings") and isinstance(module, nn.Embedding)
    )
    return next(tables, None)
