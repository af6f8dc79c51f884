"""A network in, whether anything was ever learnt in it out."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn


def untrained(network: nn.Module) -> bool:
    """Return whether the weights of *network* are as an initialisation leaves them.

    Matrices begin at random and keep no trace of that. The vectors beside them do: norms begin as
    constants (scales of 1, shifts and running means of 0), and so do the biases of linear maps in nearly
    every family of transformers; the first step of training moves each entry by an amount of its own. So a
    network counts as untrained if it has norms, each of their vectors is one number repeated, and so are
    half of those biases or more. Families whose biases begin at random (Mamba) or whose norms have no
    weights (OLMo) are never told from trained ones; nor is a network without norms.
    """
    norms = [_constant(vector) for vector in _vectors_of_norms(network)]
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    biases = [_constant(m.bias) for m in linear if m.bias is not None and len(m.bias) > 1]
    return bool(norms) and all(norms) and 2 * sum(biases) >= len(biases)


def _vectors_of_norms(network: nn.Module) -> Iterator[torch.Tensor]:
    """Yield scales, shifts and running statistics. Families have norms of their own, named so.

    Scales beside running statistics are left out: EfficientNet and MobileViT begin with random ones.
    """
    for module in network.modules():
        if "Norm" in type(module).__name__:
            own = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
            if "running_mean" in own:
                own.pop("weight", None)
            yield from (tensor for tensor in own.values() if tensor.ndim == 1 and len(tensor) > 1)


def _constant(vector: torch.Tensor) -> bool:
    return bool((vector == vector[0]).all())
