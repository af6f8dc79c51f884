"""Measure the peak memory of a block of code."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Peak:
    """Peak memory in bytes; set when the block ends."""

    bytes: int = 0


@contextmanager
def peak_memory(device: str) -> Iterator[Peak]:
    """Measure the block: memory allocated on a GPU, else the resident memory of this process.

    Memory that the allocator kept from an earlier candidate is freed first, and Linux can reset the peak, so
    each candidate of a long-lived worker gets its own. Where the system cannot, the peak is that of the
    process so far.
    """
    peak = Peak()
    on_gpu = device != "cpu" and _cuda_at_hand()
    _forget_peak(on_gpu)
    try:
        yield peak
    finally:
        peak.bytes = _gpu_peak() if on_gpu else _resident_peak()


def _cuda_at_hand() -> bool:
    import torch

    return torch.cuda.is_available()


def _forget_peak(on_gpu: bool) -> None:
    if on_gpu:
        import torch

        torch.cuda.reset_peak_memory_stats()
        return
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl lacks malloc_trim; a sandbox may forbid clear_refs
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")


def _gpu_peak() -> int:
    import torch

    return torch.cuda.max_memory_allocated()


def _resident_peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(match[1]) * 1024 if match else 0
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
