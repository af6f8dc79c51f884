"""Run a network on rows of one length at a time, for networks whose states depend on padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers.modeling_outputs import BaseModelOutputWithPooling

from hubscan.encoders.protocols import Batch
from hubscan.errors import CheckpointError


def by_length(run: Callable[[Batch], Any], batch: Batch) -> BaseModelOutputWithPooling:
    """Return the states and pooler output of *run* for *batch*, without padding, in the batch's order.

    *batch* is padded on the right. States after the end of a row are zero.

    Raises:
        CheckpointError: if a requested layer does not give a state for each token.
    """
    lengths = batch["attention_mask"].sum(1)
    width = batch["attention_mask"].shape[1]
    places = [(lengths == length).nonzero()[:, 0] for length in sorted(set(lengths.tolist()))]
    back = torch.cat(places).argsort()
    outputs = [
        run({name: tensor[rows, : lengths[rows[0]]] for name, tensor in batch.items()}) for rows in places
    ]

    def layer(states: Sequence[torch.Tensor]) -> torch.Tensor:
        for part, rows in zip(states, places, strict=True):
            if part.shape[1] != lengths[rows[0]]:
                raise CheckpointError("a layer does not give a state for each token; use --layers last")
        return torch.cat([pad(part, (0, 0, 0, width - part.shape[1])) for part in states])[back]

    poolers = [output.get("pooler_output") for output in outputs]
    hidden = [output.get("hidden_states") or () for output in outputs]
    return BaseModelOutputWithPooling(
        last_hidden_state=layer([output.last_hidden_state for output in outputs]),
        pooler_output=None if poolers[0] is None else torch.cat(poolers)[back],
        hidden_states=tuple(layer(states) for states in zip(*hidden, strict=True)) or None,
    )
