"""Pool the states of a layer into one vector for each row, and choose the pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from hubscan.errors import CheckpointError
from hubscan.records import Layers, Pooling

POOLED: Final = ("mean", "cls", "max", "last", "sqrt-mean", "weighted-mean")
"""What `pool` can do; the last two are used only if a checkpoint declares them."""


def pool(
    states: torch.Tensor, mask: torch.Tensor, name: str, tokens: torch.Tensor | None = None
) -> torch.Tensor:
    """Return (rows, width) from *states* (rows, length, width) and *mask* (rows, length), 1 for a token.

    `mean` and `max` exclude the padding. `cls` is the first state and `last` the last one that is not
    padding, whichever side the padding is on. `sqrt-mean` is the sum divided by the square root of the
    number of tokens, and `weighted-mean` weights the i-th token of the row by i. Names joined with a plus
    give concatenated vectors, (rows, names × width).

    Args:
        states: of one layer.
        mask: 1 for a token to pool.
        name: one of `POOLED`, or several joined with a plus.
        tokens: 1 for every token of the row, if *mask* excludes some; `weighted-mean` counts them.
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
    """Return *states* as (rows, length, width): each position of a feature map is a state.

    Raises:
        CheckpointError: if they are a feature map, and *how* needs a state that it does not have.
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

    The last layer's states are the model's output, after its final norm if it has one. The model's own
    pooler applies only to these; earlier layers are pooled in another way.

    Args:
        output: of the model, with its hidden states unless *layers* is "last".
        layers: "last", "each" from the embeddings (0) on, or the "mean" of all without the embeddings.
        pooling: of the last layer.
        pooled: maps the states of one layer, and the name of a pooling, to (rows, width).
        before: the pooling of the layers before the last, if it differs.

    Raises:
        CheckpointError: if other layers are requested and the model gives only the last, or if their mean is
            requested and their widths differ.
    """

    def last() -> torch.Tensor:
        if pooling.name == "pooler":
            return pooler_output(output).float()
        return pooled(output.last_hidden_state.float(), pooling.name)

    if layers == "last":
        return {"last": last()}
    hidden = getattr(output, "hidden_states", None)
    if not hidden:
        raise CheckpointError("does not return the states of its layers; use --layers last")
    how = before or ("mean" if pooling.name == "pooler" else pooling.name)
    vectors = [*(pooled(states.float(), how) for states in hidden[:-1]), last()]
    if layers == "each":
        return {str(number): vector for number, vector in enumerate(vectors)}
    return {"mean": _mean(vectors[1:])}


def _mean(vectors: Sequence[torch.Tensor]) -> torch.Tensor:
    widths = sorted({vector.shape[1] for vector in vectors})
    if len(widths) > 1:
        raise CheckpointError(
            f"its layers have different widths ({', '.join(map(str, widths))}), so no mean; use --layers each"
        )
    return torch.stack(list(vectors)).mean(0)


def pooler_output(output: Any) -> torch.Tensor:
    """Return the output of the model's own pooler, as (rows, width).

    Raises:
        CheckpointError: if the model has none.
    """
    pooled = getattr(output, "pooler_output", None)
    if not isinstance(pooled, torch.Tensor):
        raise CheckpointError("has no pooler; choose another --pooling")
    return pooled.flatten(1)


def refuse_made_up_pooler(missing: frozenset[str]) -> None:
    """Refuse a pooler whose weights are not in the file: features would be a random projection.

    Raises:
        CheckpointError: if any weight of the pooler is missing.
    """
    if missing:
        raise CheckpointError(
            f"weights of its pooler are missing ({', '.join(sorted(missing))}); choose another --pooling"
        )


def choose_pooling(asked: str, declared: str | None, convention: str | None) -> Pooling:
    """Return the requested pooling, else the declared one, else the family's, else the mean."""
    if asked != "auto":
        return Pooling(asked, "asked")
    if declared:
        return Pooling(declared, "declared")
    return Pooling(convention, "convention") if convention else Pooling("mean", "default")
