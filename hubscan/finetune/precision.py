"""A device in, what its checkpoints are trained in out: float32, or bfloat16 in the products of matrices."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from hubscan.records import Training


def fastest(device: torch.device) -> Literal["float32", "mixed"]:
    """Return "mixed" where *device* multiplies bfloat16 in hardware, which halves the time or better."""
    if device.type == "cuda":
        return "mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "mixed" if device.type == "cpu" and _cpu_multiplies_it() else "float32"


def mixed(training: Training, network: nn.Module, device: torch.device) -> torch.autocast:
    """Return the block in which *network* computes as *training* says.

    In "mixed" the weights, their gradients and whatever is delicate stay in float32, and products of
    matrices are taken in bfloat16 (Micikevicius et al., ICLR 2018, arXiv 1710.03740). On a CPU that is
    not for a network of convolutions: of small pictures they are no faster in bfloat16, and of
    permuted ones oneDNN gets them wrong; see `hubscan.extract`.
    """
    convolutions = sum(isinstance(part, nn.modules.conv._ConvNd) for part in network.modules())
    # One alone makes patches of an image; more of them make a network of convolutions.
    wanted = training.precision == "mixed" and (device.type != "cpu" or convolutions <= 1)
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def _cpu_multiplies_it() -> bool:
    """Ask torch, which has no public name for the question; not to know is no."""
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in known)
