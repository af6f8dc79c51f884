"""Detect networks with randomly initialised weights, which were never trained."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn


def untrained(network: nn.Module) -> bool:
    """Return whether *network* is randomly initialised.

    Matrices start at random, and training leaves no obvious mark on them. Vectors show it: norms start as
    constants (scales of 1, shifts and running means of 0), and so do the biases of linear layers in nearly
    every family of transformers; the first step of training moves each entry by a different amount. So a
    network counts as randomly initialised if it has norms, each of their vectors is one repeated number, and
    so are at least half of those biases. It is never detected in families whose biases start at random
    (Mamba) or whose norms have no weights (OLMo), or in networks without norms.
    """
    norms = [_constant(vector) for vector in _vectors_of_norms(network)]
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    biases = [_constant(m.bias) for m in linear if m.bias is not None and len(m.bias) > 1]
    return bool(norms) and all(norms) and 2 * sum(biases) >= len(biases)


def _vectors_of_norms(network: nn.Module) -> Iterator[torch.Tensor]:
    """Yield scales, shifts and running statistics of all modules with "Norm" in the name of their class.

    Scales are left out of norms with running statistics: in EfficientNet and MobileViT they start at random.
    """
    for module in network.modules():
        if "Norm" in type(module).__name__:
            own = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
            if "running_mean" in own:
                own.pop("weight", None)
            yield from (tensor for tensor in own.values() if tensor.ndim == 1 and len(tensor) > 1)


def _constant(vector: torch.Tensor) -> bool:
    return bool((vector == vector[0]).all())
