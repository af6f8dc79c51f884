"""Choose the precision of fine-tuning: float32, or mixed with bfloat16 in the matrix products."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from hubscan.records import Training


def fastest(device: torch.device) -> Literal["float32", "mixed"]:
    """Return "mixed" if *device* multiplies bfloat16 in hardware, which at least halves the time."""
    if device.type == "cuda":
        return "mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "mixed" if device.type == "cpu" and _cpu_multiplies_it() else "float32"


def mixed(training: Training, network: nn.Module, device: torch.device) -> torch.autocast:
    """Return the context in which *network* computes with the precision of *training*.

    With "mixed", the weights, their gradients and numerically delicate operations stay in float32, and matrix
    products use bfloat16 (Micikevicius et al., ICLR 2018, arXiv 1710.03740). Convolutional networks on a CPU
    stay in float32: bfloat16 does not speed them up on small images, and oneDNN gives wrong results for
    permuted ones; see `hubscan.extract`.
    """
    convolutions = sum(isinstance(part, nn.modules.conv._ConvNd) for part in network.modules())
    # A single convolution cuts an image into patches; with more, the network is convolutional.
    wanted = training.precision == "mixed" and (device.type != "cpu" or convolutions <= 1)
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def _cpu_multiplies_it() -> bool:
    """Ask torch through private functions, as it has no public one; if they are missing, say no."""
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in known)
