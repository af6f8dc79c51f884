"""Compute the features of a sample in batches by length, which are halved if memory runs out."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from hubscan.encoders import parameters
from hubscan.encoders.protocols import Batch, Encoder, Pooled, Prepared
from hubscan.encoders.untrained import untrained
from hubscan.errors import CheckpointError
from hubscan.records import Features, Input

if TYPE_CHECKING:
    from hubscan.records import Matrix

CPU_BATCH_TOKENS: Final = 2_048  # larger batches do not use the cores better, and exceed their caches
GPU_BATCH_TOKENS: Final = 16_384  # as fast as four times as many, and more cores share the decoding of images
MOST_READERS: Final = 16  # threads that make batches for a GPU

Progress = Callable[[int, int], None]
"""Called after every batch with the rows done and the total."""
Made = tuple[list[int], Batch]
"""Rows, and the network's input for them."""


class NotFinite(CheckpointError):
    """The network gave NaN or an infinite number; in half precision that may be an overflow."""


def device_at_hand(asked: str) -> torch.device:
    """Return the CPU if *asked* is "cpu", else the device that Accelerate finds for this process.

    `PartialState` suffices. An `Accelerator` would fix the process to the device of the first one and a
    network to its first device, and could not coexist with the one that a notebook trains with.
    """
    return torch.device("cpu") if asked == "cpu" else torch.device(PartialState().device)


def extract(
    encoder: Encoder,
    inputs: Sequence[Input],
    device: str = "auto",
    progress: Progress | None = None,
) -> Features:
    """Return the features of *inputs*, (n, width) float32 for each layer and in their order.

    There is one row for each input, or for each labelled word with a `WordEncoder`. They are computed in the
    precision of the encoder's weights.

    Rows of similar length share a batch, longest first, so memory runs out at the start or not at all. A
    batch that does not fit is halved, and the computation continues. While a GPU computes, the CPU's cores
    make the next batches: a core takes longer to decode and resize an image than a GPU takes to encode it.

    Raises:
        NotFinite: if a feature is not finite.
        CheckpointError: if the weights, alone or together with one row, do not fit in memory.
    """
    place = device_at_hand(device)
    on_gpu = place.type != "cpu"
    model = _placed(encoder.model, place)
    prepared = encoder.prepare(inputs)
    begun = time.perf_counter()
    parts = batches(prepared.lengths, GPU_BATCH_TOKENS if on_gpu else CPU_BATCH_TOKENS)
    made = made_ahead(prepared, parts, min(os.cpu_count() or 1, MOST_READERS) if on_gpu else 0)
    with exact(_dtype(model)):
        layers = _computed(encoder, prepared, place, made, progress)
    seconds = time.perf_counter() - begun
    for matrix in layers.values():
        broken = int((~np.isfinite(matrix)).any(axis=1).sum())
        if broken:
            raise NotFinite(f"features of {broken} of {len(matrix)} rows contain NaN or infinite numbers")
    return Features(
        layers=layers,
        pooling=encoder.pooling,
        parameters=parameters(encoder),
        device=str(place),
        dtype=str(_dtype(model)).removeprefix("torch."),
        processor=encoder.processor,
        rows_per_second=len(next(iter(layers.values()))) / max(seconds, 1e-9),
        untrained=untrained(model),
    )


def _placed(model: torch.nn.Module, place: torch.device) -> torch.nn.Module:
    try:
        return model.to(place)
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
        raise CheckpointError("its weights do not fit in memory") from error


@contextmanager
def exact(dtype: torch.dtype) -> Iterator[None]:
    """Switch off, within the block, what makes libraries compute inexactly.

    By default a GPU rounds the factors of a float32 convolution to ten bits. On CPUs, oneDNN computes the
    convolution of several permuted images in half precision wrongly, with errors as large as the values
    (torch 2.13; SegFormer and PVT v2 have such convolutions); torch's own code does not.
    """
    torch_alone = torch.backends.mkldnn.enabled and dtype != torch.float32
    if torch_alone:
        torch.backends.mkldnn.set_flags(_enabled=False)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        if torch_alone:
            torch.backends.mkldnn.set_flags(_enabled=True)


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return the rows in batches, longest first, each of at most *budget* tokens including padding.

    A row longer than the budget is a batch of its own. Rows of equal length keep their order, so the batches
    depend only on the arguments.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    made: list[list[int]] = []
    for row in order:
        # All rows of a batch are padded to its first, which is the longest.
        if made and (len(made[-1]) + 1) * lengths[made[-1][0]] <= budget:
            made[-1].append(row)
        else:
            made.append([row])
    return made


def made_ahead(prepared: Prepared, parts: Sequence[list[int]], threads: int) -> Iterator[Made]:
    """Yield *parts* with their batches, which *threads* make ahead; without threads, each on demand."""
    if not threads:
        yield from ((part, prepared.batch(part)) for part in parts)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[list[int], Future[Batch]]] = deque()
        for part in parts:
            waiting.append((part, pool.submit(prepared.batch, part)))
            if len(waiting) > threads:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)


def _first(waiting: deque[tuple[list[int], Future[Batch]]]) -> Made:
    part, batch = waiting.popleft()
    return part, batch.result()


@torch.inference_mode()
def _computed(
    encoder: Encoder,
    prepared: Prepared,
    place: torch.device,
    made: Iterator[Made],
    progress: Progress | None,
) -> dict[str, Matrix]:
    rows = len(prepared.vectors(range(len(prepared.lengths))))
    layers: dict[str, Matrix] = {}
    done = 0
    for whole, batch in made:
        for part, pooled in _fitting(encoder, prepared, place, whole, batch):
            given = prepared.vectors(part)
            for name, vectors in pooled.items():
                if name not in layers:
                    layers[name] = np.empty((rows, vectors.shape[1]), dtype=np.float32)
                layers[name][given] = vectors.float().cpu().numpy()
            done += len(given)
            if progress:
                progress(done, rows)
    if not layers:
        raise CheckpointError("no rows to compute features of")
    return layers


def _fitting(
    encoder: Encoder, prepared: Prepared, place: torch.device, rows: list[int], batch: Batch
) -> Iterator[tuple[list[int], Pooled]]:
    """Yield the *rows* of *batch* with their vectors, halving the batch until it fits in memory."""
    try:
        pooled = encoder.encode(moved(batch, place, _dtype(encoder.model)))
    except RuntimeError as error:
        if not should_reduce_batch_size(error):
            raise
        if len(rows) == 1:
            raise CheckpointError("a single row does not fit in memory") from error
        pooled = None
    if pooled is not None:
        yield rows, pooled
        return
    # Outside the handler, since the traceback keeps the tensors that did not fit.
    clear_device_cache(garbage_collection=True)
    middle = len(rows) // 2
    for half in (rows[:middle], rows[middle:]):
        yield from _fitting(encoder, prepared, place, half, prepared.batch(half))


def moved(batch: Batch, device: torch.device, dtype: torch.dtype) -> Batch:
    """Return *batch* on *device*; pixels and audio samples, but not token ids, are converted to *dtype*."""
    return {
        name: tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in batch.items()
    }


def _dtype(model: torch.nn.Module) -> torch.dtype:
    return next(model.parameters()).dtype
