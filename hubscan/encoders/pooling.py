"""States of the last layer in, one vector for each row out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from hubscan.errors import CheckpointError
from hubscan.records import Layers, Pooling

POOLED: Final = ("mean", "cls", "max", "last", "sqrt-mean", "weighted-mean")
"""What `pool` can do; the last two only where a checkpoint declares them."""


def pool(
    states: torch.Tensor, mask: torch.Tensor, name: str, tokens: torch.Tensor | None = None
) -> torch.Tensor:
    """Return (rows, width) from *states* (rows, length, width) and *mask* (rows, length), 1 for a token.

    `mean` and `max` leave the padding out; `cls` is the first state and `last` the last one that is
    no padding, on whichever side that lies. `sqrt-mean` is the sum over the root of the number of
    tokens, and `weighted-mean` weighs the i-th token of the row with i. Names joined with a plus give
    their vectors joined, (rows, as many widths).

    Args:
        states: of one layer.
        mask: 1 for a token that is to be pooled.
        name: of `POOLED`, or several.
        tokens: 1 for every token of the row, where *mask* leaves some out; places are counted in it.
    """
    if "+" in name:
        return torch.cat([pool(states, mask, part, tokens) for part in name.split("+")], dim=1)
    if name in ("mean", "sqrt-mean", "weighted-mean"):
        return _mean_of_tokens(states, mask, name, mask if tokens is None else tokens)
    there = mask.bool()
    if name == "max":
        return states.masked_fill(~there.unsqueeze(-1), -torch.inf).amax(1)
    places = torch.arange(mask.shape[1], device=mask.device)
    if name == "cls":
        place = torch.where(there, places, mask.shape[1]).amin(1)
    else:
        place = torch.where(there, places, -1).amax(1)
    return states[torch.arange(len(states), device=states.device), place]


def as_sequence(states: torch.Tensor, how: str) -> torch.Tensor:
    """Return *states* as (rows, length, width): of a feature map every place is a state.

    Raises:
        CheckpointError: if they are a map, and *how* asks for a state that a map does not have.
    """
    if states.ndim != 4:
        return states
    if how in ("cls", "last"):
        raise CheckpointError(f"gives feature maps, without a {how} state; use mean or max")
    return states.flatten(2).transpose(1, 2)


def _mean_of_tokens(
    states: torch.Tensor, mask: torch.Tensor, name: str, tokens: torch.Tensor
) -> torch.Tensor:
    weights = mask.to(states.dtype)
    if name == "weighted-mean":
        weights = weights * tokens.cumsum(1).to(states.dtype)
    summed = torch.einsum("rlw,rl->rw", states, weights)
    total = weights.sum(1, keepdim=True).clamp(min=1)
    return summed / (total.sqrt() if name == "sqrt-mean" else total)


def pooled_layers(
    output: Any,
    layers: Layers,
    pooling: Pooling,
    pooled: Callable[[torch.Tensor, str], torch.Tensor],
    before: str | None = None,
) -> dict[str, torch.Tensor]:
    """Return the vectors by layer, (rows, width) float32 each, the last layer last.

    The last layer's states are those the model gives out, behind its final norm if it has one. Where
    the model's own pooler reads it, that is for it alone: the layers before it are pooled otherwise.

    Args:
        output: of the model, with its hidden states unless *layers* is "last".
        layers: "last", "each" from the embeddings (0) on, or the "mean" of all without the embeddings.
        pooling: how.
        pooled: takes the states of one layer, and the name of a pooling, to (rows, width).
        before: the pooling of the layers before the last, if it is another.

    Raises:
        CheckpointError: if other layers are wanted, and the model gives the last alone; or if their
            mean is, and they are not equally wide.
    """

    def last() -> torch.Tensor:
        if pooling.name == "pooler":
            return pooler_output(output).float()
        return pooled(output.last_hidden_state.float(), pooling.name)

    if layers == "last":
        return {"last": last()}
    hidden = getattr(output, "hidden_states", None)
    if not hidden:
        raise CheckpointError("does not give the states of its layers; use --layers last")
    how = before or ("mean" if pooling.name == "pooler" else pooling.name)
    vectors = [*(pooled(states.float(), how) for states in hidden[:-1]), last()]
    if layers == "each":
        return {str(number): vector for number, vector in enumerate(vectors)}
    return {"mean": _mean(vectors[1:])}


def _mean(vectors: Sequence[torch.Tensor]) -> torch.Tensor:
    widths = sorted({vector.shape[1] for vector in vectors})
    if len(widths) > 1:
        raise CheckpointError(
            f"its layers have the widths {', '.join(map(str, widths))}, and no mean; use --layers each"
        )
    return torch.stack(list(vectors)).mean(0)


def pooler_output(output: Any) -> torch.Tensor:
    """Return what the model's own pooler gave, as (rows, width).

    Raises:
        CheckpointError: if the model has none.
    """
    pooled = getattr(output, "pooler_output", None)
    if not isinstance(pooled, torch.Tensor):
        raise CheckpointError("has no pooler; choose another --pooling")
    return pooled.flatten(1)


def refuse_made_up_pooler(missing: frozenset[str]) -> None:
    """Refuse a pooler whose weights are not in the file: a random projection ranks noise.

    Raises:
        CheckpointError: if any weight of the pooler is missing.
    """
    if missing:
        raise CheckpointError(
            f"its pooler is not in the file ({', '.join(sorted(missing))}), so pooler_output would be random"
        )


def choose_pooling(asked: str, declared: str | None, convention: str | None) -> Pooling:
    """Return the pooling to use: the asked one, else what is declared, else the family's, else the mean."""
    if asked != "auto":
        return Pooling(asked, "asked")
    if declared:
        return Pooling(declared, "declared")
    return Pooling(convention, "convention") if convention else Pooling("mean", "default")
