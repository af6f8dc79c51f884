from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from hypothesis import given
from hypothesis import strategies as st

from hubscan.encoders.protocols import Batch, Pooled
from hubscan.errors import CheckpointError
from hubscan.extract import batches, extract, made_ahead
from hubscan.records import Input, Pooling


@given(lengths=st.lists(st.integers(1, 500), max_size=200), budget=st.integers(1, 2000))
def test_batches_hold_every_row_once_and_stay_within_the_budget(lengths: list[int], budget: int) -> None:
    made = batches(lengths, budget)
    assert sorted(row for batch in made for row in batch) == list(range(len(lengths)))
    for batch in made:
        longest = max(lengths[row] for row in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
    flat = [lengths[row] for batch in made for row in batch]
    assert flat == sorted(flat, reverse=True)


@dataclass
class Rows:
    values: Sequence[Input]
    lengths: Sequence[int]

    def batch(self, rows: Sequence[int]) -> Batch:
        return {"x": torch.tensor([[float(str(self.values[row]))] for row in rows])}

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        return rows


@dataclass
class Doubling:
    """An encoder that doubles numbers, and whose memory holds *room* rows."""

    room: int
    sizes: list[int] = field(default_factory=list)
    model: torch.nn.Module = field(default_factory=lambda: torch.nn.Linear(1, 1))
    pooling: Pooling = field(default_factory=lambda: Pooling("mean", "default"))
    parameters: int = 2
    processor: str = "none"

    def prepare(self, inputs: Sequence[Input]) -> Rows:
        return Rows(inputs, [1 + i % 4 for i in range(len(inputs))])

    def encode(self, batch: Batch) -> Pooled:
        self.sizes.append(len(batch["x"]))
        if len(batch["x"]) > self.room:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
        return {"0": batch["x"], "1": batch["x"] * 2}


def test_rows_come_back_in_their_order_and_a_batch_that_does_not_fit_is_halved() -> None:
    encoder = Doubling(room=30)
    reported: list[tuple[int, int]] = []
    found = extract(
        encoder, [str(i) for i in range(500)], "cpu", lambda done, rows: reported.append((done, rows))
    )
    assert found.matrix[:, 0].tolist() == [2.0 * i for i in range(500)]
    assert found.layers["0"][:, 0].tolist() == [1.0 * i for i in range(500)]
    assert encoder.sizes[:6] == [500, 250, 125, 62, 31, 15]
    assert reported[-1] == (500, 500)
    assert [done for done, _ in reported] == sorted({done for done, _ in reported})


def test_a_row_that_does_not_fit_alone_is_said_so() -> None:
    with pytest.raises(CheckpointError, match="a single row does not fit"):
        extract(Doubling(room=0), ["1", "2"], "cpu")


@given(count=st.integers(0, 60), budget=st.integers(1, 30), threads=st.integers(0, 5))
def test_batches_are_made_ahead_in_order_and_no_more_than_there_are_threads(
    count: int, budget: int, threads: int
) -> None:
    made: list[list[int]] = []

    class Noting(Rows):
        def batch(self, rows: Sequence[int]) -> Batch:
            made.append(list(rows))
            return super().batch(rows)

    rows = Noting([str(number) for number in range(count)], [1 + number % 4 for number in range(count)])
    parts = batches(rows.lengths, budget)
    taken = []
    for part, batch in made_ahead(rows, parts, threads):
        taken.append(part)
        assert batch["x"][:, 0].tolist() == part
        assert len(made) <= len(taken) + threads
    assert taken == parts


def test_an_error_in_a_batch_that_is_made_ahead_is_raised_in_its_turn() -> None:
    rows = Rows(["1", "two", "3"], [1, 1, 1])
    arrived = []
    with pytest.raises(ValueError, match="two"):
        for part, _ in made_ahead(rows, [[0], [1], [2]], 4):
            arrived.append(part)
    assert arrived == [[0]]


class Large(torch.nn.Linear):
    """A network that no device has the memory for."""

    def to(self, *_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_weights_that_do_not_fit_are_said_so() -> None:
    with pytest.raises(CheckpointError, match="its weights do not fit in memory"):
        extract(Doubling(room=1, model=Large(1, 1)), ["1", "2"], "cpu")


def test_features_do_not_depend_on_what_else_the_process_trains_with() -> None:
    AcceleratorState._reset_state(reset_partial_state=True)  # other tests may have trained
    try:
        Accelerator(cpu=True, mixed_precision="bf16")
        found = extract(Doubling(room=9), ["1", "2"], "auto")
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    assert found.dtype == "float32" and found.matrix[:, 0].tolist() == [2.0, 4.0]


def test_an_error_that_is_not_about_memory_is_not_taken_for_one() -> None:
    class Broken(Doubling):
        def encode(self, batch: Batch) -> Pooled:
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        extract(Broken(room=1), ["1"], "cpu")


def test_the_record_says_where_and_in_what_precision() -> None:
    found = extract(Doubling(room=99), ["1", "2"], "cpu")
    assert (found.device, found.dtype, list(found.layers), found.parameters) == (
        "cpu",
        "float32",
        ["0", "1"],
        2,
    )
    assert found.rows_per_second > 0
    assert found.matrix.dtype == np.float32 and np.isfinite(found.matrix).all()
